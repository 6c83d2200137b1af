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
