"""RLT costs at most 4 H_w times OPT in expectation, with additive constant 0."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from kvtheory.offline.belady import belady
from kvtheory.width import harmonic, width
from proofs_check.instances import games, misses, random_instances
from proofs_check.phases import account
from proofs_check.rlt_chain import worst
from proofs_check.theorem import Kind, Note, Row, Size, Theorem


def check(size: Size) -> Iterator[Row | Note]:
    """The exact worst cycle of every small tree; random traces from the empty cache."""
    largest, cases, capped = Fraction(0), 0, 0
    for game in games(size["nodes"]):
        found = worst(game, size["budget"])
        largest = max(largest, found.misses / harmonic(width(game.tree, game.capacity).w))
        cases, capped = cases + 1, capped + (not found.complete)
    yield Row(f"shapes of at most {size['nodes']} nodes: largest RLT/(OPT H_w)", largest, "<=", 4, cases)
    if capped:
        yield Note(
            f"on {capped} of these shapes and capacities the exploration stopped at {size['budget']:,} states"
        )
    excess, cases = Fraction(-4), 0
    for instance in random_instances(60_000, size["drawn"], nodes=6, length=14):
        best = misses(instance.trace, belady(instance.trace, instance.capacity).hit)
        bound = 4 * harmonic(width(instance.tree, instance.capacity).w)
        excess, cases = max(excess, account(instance)[0] / best - bound), cases + 1
    yield Row("random, from the empty cache: largest E[RLT]/OPT - 4 H_w", excess, "<=", 0, cases)


THEOREM = Theorem(
    statement="E[RLT] is at most 4 H_w OPT on every sequence, w the most leaves of a closed set of at most "
    "k nodes.",
    kind=Kind.BOUND,
    covers=(7,),
    where="docs/theory/rlt.rst",
    sizes={"nodes": (5, 6, 6), "drawn": (60, 400, 2000), "budget": (2000, 3000, 10_000)},
    scope="all sequences on every tree of at most {nodes} nodes, at most {budget} states each; {drawn} "
    "random traces",
    check=check,
)
