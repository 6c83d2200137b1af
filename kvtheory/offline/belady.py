r"""Belady on trees: evict the leaf whose next use is farthest; optimal for unit miss costs.

Request v with path r1..rd stands for the flat page sequence r1..rd, rd..r1. A descendant is never used
before its ancestors, so flat farthest-in-future, ties deepest first, always picks a leaf off the path: flat
Belady on the expansion *is* Belady on the tree, and it is optimal among all flat schedules, a superset
[Belady1966]_. With bypass the tip of the current path may be dropped as well. docs/theory has the proof.

Two passes over the runs of :mod:`kvtheory.runs`. Backwards, the next use of every run on every path (4
bytes each). Forwards, the cached leaves are kept by next use; a path holds at most one cached leaf, so at
most one leaf waits for each future request, and the farthest is found in a bitmap of requests with 64-way
summaries above it: O(1) per eviction for all practical lengths. Leaves that are never used again go first,
from a stack.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kvtheory._numba import njit
from kvtheory.model import IntArray, LongArray, Trace
from kvtheory.runs import log_victims, runs_of

LEVELS = 6  # 64**6 requests


@dataclass(frozen=True, eq=False)
class Schedule:
    """An offline schedule: what each request hit, and what was evicted while it was served.

    Attributes:
        hit: int32, shape (N,): the deepest cached node of each path.
        victims: int32, in order; empty unless the witness was asked for.
        offsets: int64, shape (N+1,): the victims of request t are `victims[offsets[t]:offsets[t+1]]`.
        bypass: whether nodes of the current path may be among its victims.
    """

    hit: IntArray
    victims: IntArray
    offsets: LongArray
    bypass: bool


def belady(trace: Trace, capacity: int, *, bypass: bool = False, witness: bool = False) -> Schedule:
    """Serve a trace with the fewest misses, from the empty cache.

    Args:
        trace: requests whose paths fit (see :meth:`Trace.cut`).
        capacity: nodes the cache holds, at least 1.
        bypass: a served path need not stay in the cache.
        witness: keep the victims (4 bytes per access, 8 per request).

    Raises:
        InputError: if a path is longer than the capacity.
    """
    trace.require_fits(capacity)
    capacity = min(capacity, trace.tree.n + 1)
    runs = runs_of(trace)
    hit = np.empty(len(trace), dtype=np.int32)
    victims = np.empty(trace.accesses if witness else 0, dtype=np.int32)
    offsets = np.zeros(len(trace) + 1 if witness else 0, dtype=np.int64)
    upcoming = _next_uses(runs.parent, runs.requests, runs.visits)
    layout = (runs.parent, runs.length, runs.start, runs.nodes, runs.requests)
    evictions = _replay(*layout, capacity, bypass, upcoming, hit, victims, offsets)
    return Schedule(hit, victims[:evictions], offsets, bypass)


@njit
def _next_uses(parent: IntArray, requests: IntArray, visits: int) -> IntArray:
    """Next request that uses each run of each path, request by request, tip to root; N for never."""
    upcoming = np.empty(visits, np.int32)
    following = np.full(parent.size, requests.size, np.int32)
    position = visits
    for t in range(requests.size - 1, -1, -1):
        r = requests[t]
        while r > 0:
            position -= 1
            r = parent[r]
        r = requests[t]
        i = position
        while r > 0:
            upcoming[i] = following[r]
            following[r] = t
            i += 1
            r = parent[r]
    return upcoming


@njit
def _replay(
    parent: IntArray,
    length: IntArray,
    start: IntArray,
    nodes: IntArray,
    requests: IntArray,
    capacity: int,
    bypass: bool,
    upcoming: IntArray,
    hit: IntArray,
    victims: IntArray,
    offsets: LongArray,
) -> int:
    never = requests.size
    cached = np.zeros(parent.size, np.int32)  # cached nodes of each run, from its top
    below = np.zeros(parent.size, np.int32)  # runs below it that hold cached nodes
    next_use = np.full(parent.size, never, np.int32)
    leaf_of = np.zeros(never, np.int32)
    bits = np.zeros((LEVELS, never // 64 + 1), np.uint64)
    dead = np.empty(parent.size, np.int32)
    dead_count, size, evictions, position = 0, 0, 0, 0
    for t in range(requests.size):
        tip = requests[t]
        _clear(bits, t)
        deepest, r = 0, tip
        while r > 0:
            next_use[r] = upcoming[position]
            position += 1
            if deepest == 0 and cached[r] > 0:
                deepest = nodes[start[r] + cached[r] - 1]
            if cached[r] == 0:
                below[parent[r]] += 1
            size += length[r] - cached[r]
            cached[r] = length[r]
            r = parent[r]
        hit[t] = deepest
        if bypass and tip > 0 and below[tip] == 0:
            dead_count = _await(tip, next_use[tip], never, leaf_of, bits, dead, dead_count)
        while size > capacity:
            if dead_count > 0:
                run = dead[dead_count - 1]
            else:
                run = leaf_of[_last(bits)]
            taken = min(size - capacity, cached[run])
            evictions = log_victims(nodes, start[run] + cached[run] - 1, taken, victims, evictions)
            cached[run] -= taken
            size -= taken
            if cached[run] == 0:
                if dead_count > 0:
                    dead_count -= 1
                else:
                    _clear(bits, next_use[run])
                r = parent[run]
                below[r] -= 1
                if r > 0 and below[r] == 0 and (bypass or r != tip):
                    dead_count = _await(r, next_use[r], never, leaf_of, bits, dead, dead_count)
        if not bypass and tip > 0 and below[tip] == 0:
            dead_count = _await(tip, next_use[tip], never, leaf_of, bits, dead, dead_count)
        if offsets.size:
            offsets[t + 1] = evictions
    return evictions


@njit
def _await(
    leaf: int,
    request: int,
    never: int,
    leaf_of: IntArray,
    bits: npt.NDArray[np.uint64],
    dead: IntArray,
    dead_count: int,
) -> int:
    """File a leaf under its next use; returns the number of leaves that have none."""
    if request == never:
        dead[dead_count] = leaf
        return dead_count + 1
    leaf_of[request] = leaf
    for level in range(LEVELS):
        word = request >> 6
        was = bits[level, word]
        bits[level, word] = was | (np.uint64(1) << np.uint64(request & 63))
        if was:
            break
        request = word
    return dead_count


@njit
def _clear(bits: npt.NDArray[np.uint64], request: int) -> None:
    for level in range(LEVELS):
        word = request >> 6
        left = bits[level, word] & ~(np.uint64(1) << np.uint64(request & 63))
        bits[level, word] = left
        if left:
            break
        request = word


@njit
def _last(bits: npt.NDArray[np.uint64]) -> int:
    """The largest request in the bitmap, which must not be empty."""
    request = 0
    for level in range(LEVELS - 1, -1, -1):
        word = bits[level, request]
        top = 0
        for shift in (32, 16, 8, 4, 2, 1):
            if word >> np.uint64(shift):
                word >>= np.uint64(shift)
                top += shift
        request = request * 64 + top
    return request
