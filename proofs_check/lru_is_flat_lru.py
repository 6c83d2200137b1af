"""Leaf-LRU is flat LRU on the expansion; marking with LRU ties is leaf-LRU."""

from __future__ import annotations

from collections.abc import Iterator

from kvtheory.engine.reference import ReferenceEngine
from kvtheory.policies.lru import LeafLRU
from kvtheory.policies.marking import Marking
from proofs_check.flat import expansion, lru_misses
from proofs_check.instances import random_traces
from proofs_check.theorem import Effort, Row, Theorem


def check(effort: Effort) -> Iterator[Row]:
    """Random traces: misses against flat LRU, victims against marking."""
    count = 400 if effort is Effort.QUICK else 6000
    tree_total, flat_total, different = 0, 0, 0
    for _, capacity, trace in random_traces(2, count, nodes=14, length=40):
        requests = trace.requests.tolist()
        hits, victims = ReferenceEngine(trace.tree, capacity, LeafLRU).run(requests)
        tree_total += trace.accesses - int(trace.tree.depth[hits].sum())
        flat_total += lru_misses(expansion([trace.tree.path(v) for v in requests]), capacity)
        different += victims != ReferenceEngine(trace.tree, capacity, Marking).run(requests)[1]
    yield Row(
        "random: leaf-LRU = flat LRU of the expansion, total misses", tree_total, "==", flat_total, count
    )
    yield Row("random: traces on which marking evicts otherwise than leaf-LRU", different, "==", 0, count)


THEOREM = Theorem(
    statement="Leaf-LRU on a tree is flat LRU on the expansion. Marking that evicts the least recently used "
    "unmarked leaf is leaf-LRU, victim for victim.",
    status="proved",
    where="docs/theory/belady.rst and docs/theory/rlt.rst",
    check=check,
)
