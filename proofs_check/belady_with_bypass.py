"""With bypass, Belady that may also drop the tip of the current path is optimal."""

from __future__ import annotations

from collections.abc import Iterator

from kvtheory.offline.belady import belady
from kvtheory.offline.brute import brute
from proofs_check.instances import misses, random_instances
from proofs_check.schedules import belady_against_all
from proofs_check.theorem import Kind, Row, Size, Theorem


def check(size: Size) -> Iterator[Row]:
    """Exhaustive and random, against dynamic programming over all states."""
    yield belady_against_all(size["nodes"], size["length"], bypass=True)
    wrong, count = 0, 0
    for instance in random_instances(11_000, size["drawn"], nodes=7, length=12):
        found = misses(instance.trace, belady(instance.trace, instance.capacity, bypass=True).hit)
        wrong += found != brute(instance.tree, instance.requests, instance.capacity, bypass=True)
        count += 1
    yield Row("random: Belady with bypass is not optimal", wrong, "==", 0, count)


THEOREM = Theorem(
    statement="Where a served path need not stay in the cache, Belady that may also drop the tip of the "
    "current path is optimal for unit miss costs.",
    kind=Kind.PROVED,
    covers=(1,),
    where="docs/theory/belady.rst",
    sizes={"nodes": (4, 4, 5), "length": (4, 6, 6), "drawn": (60, 500, 3000)},
    scope="every tree of {nodes} nodes and sequence of {length} requests; {drawn} random ones of 7 nodes",
    check=check,
)
