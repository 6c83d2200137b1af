"""Leaf-LFU is not competitive: on a star of three it pays N+1 against 3."""

from __future__ import annotations

from collections.abc import Iterator

from kvtheory.engine.kernel import replay
from kvtheory.model import Trace
from kvtheory.offline.belady import belady
from kvtheory.policies.lfu import LeafLFU
from proofs_check.theorem import Effort, Row, Theorem


def check(effort: Effort) -> Iterator[Row]:
    """The family for growing N."""
    for n in (10, 100, 1000) if effort is Effort.QUICK else (10, 100, 1000, 100_000):
        trace = Trace.from_parents([0, 0, 0], [1] * n + [2, 3] * (n // 2))
        misses = trace.accesses - int(trace.tree.depth[replay(trace, 2, LeafLFU).hit].sum())
        best = trace.accesses - int(trace.tree.depth[belady(trace, 2).hit].sum())
        yield Row(f"star:3, k=2, 1^{n} (2 3)^{n // 2}: misses of leaf-LFU", misses, "==", n + 1, 1)
        yield Row(f"star:3, k=2, 1^{n} (2 3)^{n // 2}: OPT", best, "==", 3, 1)


THEOREM = Theorem(
    statement="The competitive ratio of leaf-LFU is infinite.",
    status="proved",
    where="docs/theory/width.rst",
    check=check,
)
