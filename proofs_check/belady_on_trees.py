"""Belady on trees is optimal for unit miss costs, and OPT on the tree is OPT of flat paging."""

from __future__ import annotations

from collections.abc import Iterator

from kvtheory.offline.belady import belady
from proofs_check.flat import expansion, farthest_misses
from proofs_check.instances import misses, random_instances
from proofs_check.schedules import belady_against_all
from proofs_check.theorem import Kind, Row, Size, Theorem


def check(size: Size) -> Iterator[Row]:
    """Exhaustive against dynamic programming over all states; random against flat paging."""
    yield belady_against_all(size["nodes"], size["length"], bypass=False)
    wrong, count = 0, 0
    for instance in random_instances(10_000, size["drawn"], nodes=12, length=30):
        found = misses(instance.trace, belady(instance.trace, instance.capacity).hit)
        paths = [instance.path(v) for v in instance.requests]
        wrong += found != farthest_misses(expansion(paths), instance.capacity)
        count += 1
    yield Row("random: tree OPT is not flat OPT of the expansion", wrong, "==", 0, count)


THEOREM = Theorem(
    statement="Belady on trees is optimal for unit miss costs; its cost is that of flat paging on the "
    "expansion r1..rd, rd..r1.",
    kind=Kind.PROVED,
    covers=(1,),
    where="docs/theory/belady.rst",
    sizes={"nodes": (4, 4, 5), "length": (4, 6, 6), "drawn": (200, 2000, 6000)},
    scope="every tree of {nodes} nodes and sequence of {length} requests; {drawn} random ones of 30",
    check=check,
)
