"""Leaf-LRU is flat LRU on the expansion; marking with LRU ties is leaf-LRU."""

from __future__ import annotations

from collections.abc import Iterator

from kvtheory.engine.reference import ReferenceEngine
from kvtheory.policies.lru import LeafLRU
from kvtheory.policies.marking import Marking
from proofs_check.flat import expansion, lru_misses
from proofs_check.instances import misses, random_instances
from proofs_check.theorem import Effort, Row, Theorem


def check(effort: Effort) -> Iterator[Row]:
    """Random traces: misses against flat LRU, victims against marking."""
    count = 400 if effort is Effort.QUICK else 6000
    tree_total, flat_total, different, cases = 0, 0, 0, 0
    for instance in random_instances(20_000, count, nodes=14, length=40):
        cases += 1
        tree, capacity, requests = instance.tree, instance.capacity, instance.requests
        hits, victims = ReferenceEngine(tree, capacity, LeafLRU).run(requests)
        tree_total += misses(instance.trace, hits)
        flat_total += lru_misses(expansion([instance.path(v) for v in requests]), capacity)
        different += victims != ReferenceEngine(tree, capacity, Marking).run(requests)[1]
    what = "random: leaf-LRU = flat LRU of the expansion, total misses"
    yield Row(what, tree_total, "==", flat_total, cases)
    yield Row("random: traces on which marking evicts otherwise than leaf-LRU", different, "==", 0, cases)


THEOREM = Theorem(
    statement="Leaf-LRU on a tree is flat LRU on the expansion. Marking that evicts the least recently used "
    "unmarked leaf is leaf-LRU, victim for victim.",
    status="proved",
    where="docs/theory/belady.rst and docs/theory/rlt.rst",
    check=check,
)
