"""A price for hits changes no optimal schedule: it moves every cost by the same constant and factor.

With a price a for a cached node and b >= a for a missed one, a schedule with m misses in A accesses costs
a A + (b - a) m, which grows with m. So the schedules with the fewest misses are the cheapest.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kvtheory.offline.belady import belady
from kvtheory.offline.brute import brute
from proofs_check.instances import misses, random_instances
from proofs_check.symbolic import settle
from proofs_check.theorem import Kind, Note, Row, Size, Theorem

PRICES = ((0, 1), (1, 2), (3, 4), (1, 10), (5, 5))


def fewer_misses_cost_less(z3: Any) -> tuple[list[Any], Any]:
    """For prices 0 <= a <= b and misses m <= m' out of A accesses."""
    a, b, accesses, fewer, more = z3.Reals("a b A m m'")
    hypotheses = [a >= 0, b >= a, fewer >= 0, more >= fewer, accesses >= more]
    return hypotheses, a * (accesses - fewer) + b * fewer <= a * (accesses - more) + b * more


def check(size: Size) -> Iterator[Row | Note]:
    """Belady's misses, priced, against dynamic programming that knows both prices."""
    wrong, count = 0, 0
    for instance in random_instances(12_000, size["drawn"], nodes=6, length=10):
        tree, capacity, n = instance.tree, instance.capacity, instance.tree.n
        fewest = misses(instance.trace, belady(instance.trace, capacity).hit)
        for hit, miss in PRICES:
            dear, cheap = [0, *[miss] * n], [0, *[hit] * n]
            best = brute(tree, instance.requests, capacity, cost=dear, hit_cost=cheap)
            wrong += best != hit * instance.trace.accesses + (miss - hit) * fewest
            count += 1
    yield Row("random, five pairs of prices: Belady's schedule is not the cheapest", wrong, "==", 0, count)
    yield from settle("all reals: fewer misses never cost more", fewer_misses_cost_less)


THEOREM = Theorem(
    statement="If every hit costs a and every miss b >= a, the schedules with the fewest misses are the "
    "cheapest: the total is a times the accesses plus b - a times the misses.",
    kind=Kind.PROVED,
    covers=(1,),
    where="docs/theory/failures.rst",
    sizes={"drawn": (60, 500, 3000)},
    scope="{drawn} random instances of 6 nodes and 10 requests, five pairs of prices; all reals by z3",
    check=check,
)
