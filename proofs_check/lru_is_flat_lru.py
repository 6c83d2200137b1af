"""Leaf-LRU is flat LRU on the expansion; marking with LRU ties is leaf-LRU."""

from __future__ import annotations

from collections.abc import Iterator

from kvtheory.engine.reference import ReferenceEngine
from kvtheory.policies.lru import LeafLRU
from kvtheory.policies.marking import Marking
from proofs_check.flat import expansion, lru_misses
from proofs_check.instances import misses, random_instances
from proofs_check.theorem import Kind, Row, Size, Theorem


def check(size: Size) -> Iterator[Row]:
    """Random traces: misses against flat LRU, victims against marking."""
    apart, different, cases = 0, 0, 0
    for instance in random_instances(20_000, size["drawn"], nodes=14, length=40):
        cases += 1
        tree, capacity, requests = instance.tree, instance.capacity, instance.requests
        hits, victims = ReferenceEngine(tree, capacity, LeafLRU).run(requests)
        flat = lru_misses(expansion([instance.path(v) for v in requests]), capacity)
        apart += misses(instance.trace, hits) != flat
        different += victims != ReferenceEngine(tree, capacity, Marking).run(requests)[1]
    yield Row("random: leaf-LRU misses otherwise than flat LRU on the expansion", apart, "==", 0, cases)
    yield Row("random: marking evicts otherwise than leaf-LRU", different, "==", 0, cases)


THEOREM = Theorem(
    statement="Leaf-LRU on a tree is flat LRU on the expansion. Marking that evicts the least recently used "
    "unmarked leaf is leaf-LRU, victim for victim.",
    kind=Kind.PROVED,
    covers=(1, 4),
    where="docs/theory/rlt.rst",
    sizes={"drawn": (400, 3000, 20_000)},
    scope="{drawn} random instances of up to 14 nodes and 40 requests",
    check=check,
)
