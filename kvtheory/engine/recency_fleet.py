"""Many leaf-LRU caches over one trace, run by run: what a cluster's workers cache.

The entries are the trace's runs (:mod:`kvtheory.runs`), each cached from its top; every worker keeps those
it caches in a list by last use, deeper runs behind shallower ones: the last of the list holds the victim.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kvtheory._numba import njit
from kvtheory.model import IntArray, LongArray, Trace
from kvtheory.runs import runs_of

SPREAD = 0x9E3779B1


class Lists(NamedTuple):
    """The lists of all workers; slot 0 is both ends of a worker's list.

    Attributes:
        run: run of each slot, 0 for none; int32, shape (workers, slots); so are the next four.
        cached: how many of its nodes are cached.
        newer, older: its neighbours in the list.
        free: a stack of slots without a run; its height is `unused[w]`.
        bucket: hash table from run to slot; int32, shape (workers, a power of two).
        unused, size: int64, shape (workers,): free slots, cached nodes.
        holders: bit `w % 64` of `holders[r, w // 64]`: worker `w` caches the top of run `r`.
        room: shape (1,): nodes that each may cache.
    """

    run: IntArray
    cached: IntArray
    newer: IntArray
    older: IntArray
    free: IntArray
    bucket: IntArray
    unused: LongArray
    size: LongArray
    holders: LongArray
    room: LongArray


@njit
def find(c: Lists, w: int, r: int) -> int:
    """The bucket of run `r` at worker `w`, or the empty one where it would be."""
    mask = c.bucket.shape[1] - 1
    at = ((np.int64(r) * SPREAD) >> 7) & mask
    while c.bucket[w, at] and c.run[w, c.bucket[w, at]] != r:
        at = (at + 1) & mask
    return int(at)


@njit
def unlink(c: Lists, w: int, slot: int) -> None:
    newer, older = c.newer[w, slot], c.older[w, slot]
    c.older[w, newer] = older
    c.newer[w, older] = newer


@njit
def to_front(c: Lists, w: int, slot: int) -> None:
    first = c.older[w, 0]
    c.older[w, 0] = slot
    c.newer[w, slot] = 0
    c.older[w, slot] = first
    c.newer[w, first] = slot


@njit
def drop(c: Lists, w: int, slot: int) -> None:
    """Take a run of which nothing is cached any more out of the list and the table."""
    unlink(c, w, slot)
    r = c.run[w, slot]
    c.holders[r, w >> 6] &= ~(np.int64(1) << np.int64(w & 63))
    mask = c.bucket.shape[1] - 1
    at = find(c, w, r)
    after = (at + 1) & mask
    while c.bucket[w, after]:  # close the gap: whoever it kept from home moves up
        home = ((np.int64(c.run[w, c.bucket[w, after]]) * SPREAD) >> 7) & mask
        if ((after - home) & mask) >= ((after - at) & mask):
            c.bucket[w, at] = c.bucket[w, after]
            at = after
        after = (after + 1) & mask
    c.bucket[w, at] = 0
    c.run[w, slot] = 0
    c.free[w, c.unused[w]] = slot
    c.unused[w] += 1


@njit
def visit(
    c: Lists, parent: IntArray, length: IntArray, start: IntArray, nodes: IntArray, w: int, r: int
) -> int:
    """Worker `w` serves the path that ends with run `r`; the deepest node that was cached, 0 for none."""
    deepest = 0
    while r > 0:
        at = find(c, w, r)
        slot = c.bucket[w, at]
        if slot == 0:
            c.unused[w] -= 1
            slot = c.free[w, c.unused[w]]
            c.bucket[w, at] = slot
            c.run[w, slot] = r
            c.cached[w, slot] = 0
            c.holders[r, w >> 6] |= np.int64(1) << np.int64(w & 63)
        else:
            unlink(c, w, slot)
        held = c.cached[w, slot]
        if held and (held < length[r] or deepest == 0):
            deepest = nodes[start[r] + held - 1]
        c.size[w] += length[r] - held
        c.cached[w, slot] = length[r]
        to_front(c, w, slot)
        r = parent[r]
    while c.size[w] > c.room[0]:
        slot = c.newer[w, 0]
        taken = min(c.size[w] - c.room[0], c.cached[w, slot])
        c.cached[w, slot] -= taken
        c.size[w] -= taken
        if c.cached[w, slot] == 0:
            drop(c, w, slot)
    return deepest


@njit
def match(c: Lists, parent: IntArray, start: IntArray, nodes: IntArray, r: int, found: IntArray) -> None:
    """Write to `found` the deepest node of the path that ends with run `r` that each worker caches."""
    found[:] = 0
    for word in range(c.holders.shape[1]):
        seen = 0
        u = r
        while u > 0:
            fresh = c.holders[u, word] & ~seen
            seen |= fresh
            w = word * 64
            while fresh:
                if fresh & 1:
                    slot = c.bucket[w, find(c, w, u)]
                    found[w] = nodes[start[u] + c.cached[w, slot] - 1]
                fresh = (fresh >> 1) & 0x7FFFFFFFFFFFFFFF
                w += 1
            u = parent[u]


class RecencyCaches:
    """One leaf-LRU cache for each worker; what :class:`~kvtheory.engine.fleet.Caches` is, faster.

    Args:
        trace: the requests, with every path cut to the capacity; only its own prompts can be served.
        workers: how many caches there are.
        capacity: nodes that each may hold.
    """

    def __init__(self, trace: Trace, workers: int, capacity: int) -> None:
        self.runs = runs_of(trace)
        self.run_of = np.zeros(trace.tree.n + 1, np.int32)
        self.run_of[trace.requests] = self.runs.requests
        most = min(capacity, self.runs.parent.size) + min(trace.tree.height, self.runs.parent.size)
        shape = (workers, most + 2)
        self._found: IntArray = np.zeros(workers, np.int32)
        self._lists = Lists(
            run=np.zeros(shape, np.int32),
            cached=np.zeros(shape, np.int32),
            newer=np.zeros(shape, np.int32),
            older=np.zeros(shape, np.int32),
            free=np.zeros(shape, np.int32),
            bucket=np.zeros((workers, 1 << (2 * shape[1]).bit_length()), np.int32),
            unused=np.zeros(workers, np.int64),
            size=np.zeros(workers, np.int64),
            holders=np.zeros((self.runs.parent.size, -(-workers // 64)), np.int64),
            room=np.array([capacity]),
        )
        for worker in range(workers):
            self._empty(worker)

    def serve(self, worker: int, v: int) -> int:
        """A worker serves the prompt `v`; its hit, as a node, 0 for none."""
        runs = self.runs
        return int(
            visit(self._lists, runs.parent, runs.length, runs.start, runs.nodes, worker, self.run_of[v])
        )

    def match(self, v: int) -> IntArray:
        """Deepest node of the path of `v` at each worker, 0 for none; int32, overwritten by the next call."""
        runs = self.runs
        match(self._lists, runs.parent, runs.start, runs.nodes, self.run_of[v], self._found)
        return self._found

    def clear(self, worker: int) -> None:
        """A worker returns empty."""
        lists = self._lists
        lists.holders[:, worker >> 6] &= ~(np.int64(1) << np.int64(worker & 63))
        for array in lists[:6]:
            array[worker] = 0
        self._empty(worker)

    def _empty(self, worker: int) -> None:
        lists = self._lists
        slots = lists.free.shape[1]
        lists.free[worker, : slots - 1] = np.arange(slots - 1, 0, -1)
        lists.unused[worker] = slots - 1
        lists.size[worker] = 0

    def held(self, worker: int) -> set[int]:
        """The nodes that a worker caches."""
        lists, runs = self._lists, self.runs
        kept: set[int] = set()
        for slot in np.flatnonzero(lists.run[worker]).tolist():
            first = int(runs.start[lists.run[worker, slot]])
            kept.update(runs.nodes[first : first + int(lists.cached[worker, slot])].tolist())
        return kept
