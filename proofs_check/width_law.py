"""Leaf-LRU is exactly max(1, W - 1)-competitive, with additive constant 0."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from fractions import Fraction

from kvtheory.engine.kernel import replay
from kvtheory.offline.belady import belady
from kvtheory.policies.lru import LeafLRU
from kvtheory.ratio.game import exact_ratio
from kvtheory.width import width
from proofs_check.instances import games, misses, random_instances
from proofs_check.theorem import Kind, Row, Size, Theorem

HISTOGRAM = ((1, 9), (2, 44), (3, 31), (4, 5))


def check(size: Size) -> Iterator[Row]:
    """The exact game on every small tree; the additive constant on random traces."""
    wrong, cases, seen = 0, 0, Counter[Fraction | None]()
    for game in games(size["nodes"]):
        found = exact_ratio(game, LeafLRU).ratio
        wrong += found != max(1, width(game.tree, game.capacity).W - 1)
        cases += 1
        if (game.tree.n, game.capacity) == (7, 4):
            seen[found] += 1
    what = f"all shapes of at most {size['nodes']} nodes, all capacities, all sequences"
    yield Row(f"{what}: exact ratio of leaf-LRU is not max(1, W - 1)", wrong, "==", 0, cases)
    for ratio, trees in HISTOGRAM if seen else ():
        yield Row(f"7 nodes, k=4: trees of ratio {ratio}", seen[Fraction(ratio)], "==", trees, seen.total())
    excess, cases = Fraction(-1), 0
    for instance in random_instances(30_000, size["drawn"], nodes=12, length=60):
        cases += 1
        trace, capacity = instance.trace, instance.capacity
        bound = max(1, width(trace.tree, capacity).W - 1)
        lru = misses(trace, replay(trace, capacity, LeafLRU).hit)
        excess = max(excess, Fraction(lru, misses(trace, belady(trace, capacity).hit)) - bound)
    yield Row("random, from the empty cache: largest leaf-LRU/OPT - max(1, W - 1)", excess, "<=", 0, cases)


THEOREM = Theorem(
    statement="Leaf-LRU is exactly (W - 1)-competitive on every tree and capacity (1 where W <= 2), with "
    "additive constant 0.",
    kind=Kind.PROVED,
    covers=(4, 5),
    where="docs/theory/width.rst",
    sizes={"nodes": (5, 6, 7), "drawn": (300, 3000, 20_000)},
    scope="all sequences on every tree of at most {nodes} nodes; {drawn} random traces of 12 nodes",
    check=check,
)
