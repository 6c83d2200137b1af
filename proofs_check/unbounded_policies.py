"""Leaf-LFU and leaf-MRU are not competitive: on a star of three with room for two, OPT pays 3 for ever."""

from __future__ import annotations

from collections.abc import Iterator

from kvtheory.engine.kernel import replay
from kvtheory.model import Trace
from kvtheory.offline.belady import belady
from kvtheory.policies.lfu import LeafLFU
from kvtheory.policies.mru import LeafMRU
from proofs_check.instances import misses
from proofs_check.theorem import Kind, Row, Size, Theorem

ROOM = 2


def check(size: Size) -> Iterator[Row]:
    """The two families for growing N: a popular past, and a prompt that is never the most recent."""
    n = 10
    while n <= size["requests"]:
        families = (
            (LeafLFU, f"1^{n} (2 3)^{n // 2}", [1] * n + [2, 3] * (n // 2), n + 1),
            (LeafMRU, f"1 (2 3)^{n // 2}", [1] + [2, 3] * (n // 2), n + 1),
        )
        for policy, written, requests, claimed in families:
            trace = Trace.from_parents([0, 0, 0], requests)
            found = misses(trace, replay(trace, ROOM, policy).hit)
            best = misses(trace, belady(trace, ROOM).hit)
            yield Row(f"star:3, k=2, {written}: misses of {policy.name}", found, "==", claimed, 1)
            yield Row(f"star:3, k=2, {written}: OPT", best, "==", 3, 1)
        n *= 10


THEOREM = Theorem(
    statement="The competitive ratios of leaf-LFU and leaf-MRU are infinite.",
    kind=Kind.PROVED,
    covers=(5,),
    where="docs/theory/width.rst",
    sizes={"requests": (1000, 10_000, 100_000)},
    scope="two families of up to {requests} requests",
    check=check,
)
