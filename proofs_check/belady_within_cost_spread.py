"""Whatever the misses cost, Belady is within the dearest over the cheapest of the optimum."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from kvtheory.offline.brute import brute
from kvtheory.rng import SplitMix64
from proofs_check.instances import random_instances
from proofs_check.schedules import priced_belady
from proofs_check.symbolic import settle
from proofs_check.theorem import Kind, Note, Row, Size, Theorem


def spread(z3: Any) -> tuple[list[Any], Any]:
    """Belady: m misses at most `high` each; the optimum: at least m misses, at least `low` each."""
    low, high, few, more, belady, best = z3.Reals("low high m m' Belady OPT")
    hypotheses = [0 < low, low <= high, 0 <= few, few <= more, belady <= high * few, best >= low * more]
    return hypotheses, belady * low <= best * high


def check(size: Size) -> Iterator[Row | Note]:
    """Random prices from 1 to 9 against dynamic programming."""
    excess, cases = Fraction(-9), 0
    for seed, instance in enumerate(random_instances(13_000, size["drawn"], nodes=6, length=12)):
        dice = SplitMix64(seed)
        cost = [0, *(1 + dice.below(9) for _ in range(instance.tree.n))]
        used = {cost[u] for v in instance.requests for u in instance.path(v)}
        best = brute(instance.tree, instance.requests, instance.capacity, cost=cost)
        found = priced_belady(instance.trace, instance.capacity, cost).total
        excess = max(excess, Fraction(found) / best - Fraction(max(used), min(used)))
        cases += 1
    yield Row("random prices: largest Belady/OPT - dearest/cheapest", excess, "<=", 0, cases)
    yield from settle("all reals: fewest misses at most dear, against more at least cheap", spread)


THEOREM = Theorem(
    statement="If every miss costs between a > 0 and b, Belady's schedule costs at most b/a times the "
    "optimum.",
    kind=Kind.BOUND,
    covers=(3,),
    where="docs/theory/failures.rst",
    sizes={"drawn": (100, 800, 5000)},
    scope="{drawn} random instances of 6 nodes and 12 requests; the inequality for all reals by z3",
    check=check,
)
