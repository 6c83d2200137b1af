"""On a flat trace a policy is the published one: hit for hit what libCacheSim, which nobody here wrote, does.

Its caches know no tree, so the trees here are stars. Skipped where the package is missing (extra `peers`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kvtheory.engine.kernel import replay
from kvtheory.offline.belady import belady
from kvtheory.rng import SplitMix64
from kvtheory.testing.instances import Instance, star

lcs = pytest.importorskip("libcachesim")

SAME = {
    "lru": "LRU",
    "fifo": "FIFO",
    "lfu": "LFU",
    "lru_k": "LRUK",
    "clock": "Clock",
    "sieve": "Sieve",
    "two_q": "TwoQ",
    "s3fifo": "S3FIFO",
    "arc": "ARC",
}
"""Policies whose hits are libCacheSim's, request by request, and its name for them."""

LEAST = {"two_q": 4, "s3fifo": 20}
"""The smallest capacity at which all of its queues hold something; below, it caches nothing or gives up."""


def theirs(name: str, requests: tuple[int, ...], capacity: int, **settings: Any) -> list[bool]:
    """Which requests hit in libCacheSim; every object has size 1."""
    cache = getattr(lcs, name)(capacity, hashpower=12, consider_obj_metadata=False, **settings)
    hits = []
    for t, v in enumerate(requests):
        request = lcs.Request()
        request.obj_id, request.obj_size, request.clock_time = v, 1, t
        hits.append(bool(cache.get(request)))
    return hits


def ours(name: str, requests: tuple[int, ...], capacity: int) -> list[bool]:
    """Which requests hit here."""
    from kvtheory.registry import every_policy

    instance = Instance(star(max(requests)), capacity, requests)
    return [bool(v) for v in replay(instance.trace, capacity, every_policy()[name]).hit]


def flat_traces() -> list[tuple[int, tuple[int, ...]]]:
    """Capacities and requests: uniform, skewed, and skewed with a scan between."""
    found = []
    for documents, capacity, length in (
        (4, 2, 60),
        (6, 3, 90),
        (12, 4, 300),
        (40, 10, 1500),
        (150, 40, 3000),
    ):
        for kind in range(3):
            dice = SplitMix64(100 * documents + kind)
            scan, requests = 0, []
            for _ in range(length):
                if kind == 2 and dice.below(2):
                    scan = scan % documents + 1
                    requests.append(scan)
                    continue
                bound = 1 + dice.below(documents) if kind else documents
                requests.append(1 + dice.below(bound))
            found.append((capacity, tuple(requests)))
    return found


@pytest.mark.parametrize("name", SAME)
def test_flat_traces_hit_where_libcachesim_hits(name: str) -> None:
    for capacity, requests in flat_traces():
        if capacity < LEAST.get(name, 1):
            continue
        assert ours(name, requests, capacity) == theirs(SAME[name], requests, capacity), (capacity, requests)


def test_belady_misses_what_libcachesim_misses(tmp_path: Any) -> None:
    """Its Belady reads the next use of every request from a file of 24-byte records."""
    record = np.dtype([("time", "<u4"), ("id", "<u8"), ("size", "<u4"), ("next", "<i8")])
    for number, (capacity, requests) in enumerate(flat_traces()):
        rows = np.zeros(len(requests), record)
        seen: dict[int, int] = {}
        for t in range(len(requests) - 1, -1, -1):
            rows[t] = (t, requests[t], 1, seen.get(requests[t], -1))
            seen[requests[t]] = t
        file = tmp_path / f"{number}.oracleGeneral"
        rows.tofile(file)
        reader = lcs.TraceReader(str(file), lcs.TraceType.ORACLE_GENERAL_TRACE, lcs.ReaderInitParam())
        cache = lcs.Belady(capacity, hashpower=12, consider_obj_metadata=False)
        misses = round(cache.process_trace(reader)[0] * len(requests))
        trace = Instance(star(max(requests)), capacity, requests).trace
        assert misses == int((belady(trace, capacity).hit == 0).sum())


def test_slru_differs_by_its_segments() -> None:
    """Ours is SGLang's: one protected segment without limit. libCacheSim has four of equal size, and puts
    new objects into upper ones while they have room: here 2 is in such a one when 1 returns and one must go.
    """
    requests = (1, 2, 3, 4, 5, 1, 2)
    assert theirs("SLRU", requests, 4) == [False] * 6 + [True]
    assert ours("slru", requests, 4) == [False] * 7


def test_the_lirs_of_libcachesim_holds_more_than_its_capacity() -> None:
    """Its hits cannot be the measure: on this trace it misses less than OPT. At capacity 2 one object is HIR.

    On the second request of 2 it is hit in Q; libCacheSim demotes a LIR object to Q for it, evicts the hit
    one from Q to make room, and goes on to answer for it from S.
    """
    requests = (1, 2, 1, 2, 3, 1, 2)
    trace = Instance(star(3), 2, requests).trace
    least = int((belady(trace, 2).hit == 0).sum())
    assert theirs("LIRS", requests, 2).count(False) == 3 < least == 4
    assert ours("lirs", requests, 2) == plain_lirs(requests, 2)
    assert ours("lirs", requests, 2).count(False) == 4


def test_gdsf_differs_from_libcachesims_by_its_newcomer_alone() -> None:
    """In libCacheSim the victim of a miss may be what was missed. Here it is pinned: a served path is cached.

    Both insert, at the clock of the arrival, and then evict; both are held to a dozen lines. The smallest
    difference: 3 comes after 1 was asked for three times and 2 twice; there it goes at once.
    """
    requests = (1, 1, 1, 2, 2, 3, 2)
    assert (theirs("GDSF", requests, 2)[-1], ours("gdsf", requests, 2)[-1]) == (True, False)
    for capacity, requests in flat_traces():
        assert theirs("GDSF", requests, capacity) == plain_gdsf(requests, capacity, pinned=False)
        assert ours("gdsf", requests, capacity) == plain_gdsf(requests, capacity, pinned=True)


def plain_gdsf(requests: tuple[int, ...], capacity: int, *, pinned: bool) -> list[bool]:
    """GDSF where every object has size and cost 1, ties by recency; the clock is the last victim's value."""
    count, value, last, clock = dict[int, int](), dict[int, int](), dict[int, int](), 0
    hits = []
    for t, v in enumerate(requests):
        hits.append(v in value)
        count[v] = count.get(v, 0) + 1
        value[v], last[v] = clock + count[v], t
        if len(value) > capacity:
            victim = min((u for u in value if u != v or not pinned), key=lambda u: (value[u], last[u]))
            clock = max(clock, value.pop(victim))
            del count[victim]
    return hits


def test_lirs_is_plain_lirs() -> None:
    for capacity, requests in flat_traces():
        assert ours("lirs", requests, capacity) == plain_lirs(requests, capacity), (capacity, requests)


def plain_lirs(requests: tuple[int, ...], capacity: int) -> list[bool]:
    """LIRS on a flat trace with its two lists as Python lists, bottom and front first."""
    stack, queue, lir, gone = list[int](), list[int](), set[int](), list[int]()
    most = capacity - max(1, capacity // 100)
    hits = []

    def prune() -> None:
        while stack and stack[0] not in lir:
            if stack[0] in gone:
                gone.remove(stack[0])
            del stack[0]

    for v in requests:
        cached, seen = v in lir or v in queue, v in stack
        hits.append(cached)
        if not cached and len(lir) + len(queue) == capacity:
            gone += [queue[0]] * (queue[0] in stack)
            del queue[0]
        for some in (stack, queue, gone):
            if v in some:
                some.remove(v)
        stack.append(v)
        if v in lir or seen or (not cached and len(lir) < most):
            lir.add(v)
        else:
            queue.append(v)
        if len(lir) > most:
            oldest = next(u for u in stack if u in lir)
            lir.remove(oldest)
            stack.remove(oldest)
            queue.append(oldest)
        if v in lir or not lir:
            prune()
        while len(stack) > 2 * capacity and gone:
            stack.remove(gone.pop(0))
    return hits
