"""Replay under a ranked policy: a lazy heap of leaves (TOUCH), else a scan of them at each eviction."""

from __future__ import annotations

import heapq
from typing import Any

import numpy as np
import numpy.typing as npt

from kvtheory._numba import njit
from kvtheory.engine.templates.hooks import (
    COLUMNS,
    PHASES,
    TOUCH,
    make_state,
    on_access,
    on_evict,
    on_insert,
    rank,
    reset,
)


@njit
def entry(
    s: Any, v: int, depth: npt.NDArray[np.int32], inserted: npt.NDArray[np.int64], stamp: int
) -> tuple[Any, Any, Any, Any, Any]:
    """Heap entry of leaf `v`: smallest rank first, then deepest, then earliest inserted."""
    return rank(s, v), np.int64(-depth[v]), inserted[v], np.int64(v), np.int64(stamp)


@njit
def replay(
    parent: npt.NDArray[np.int32],
    depth: npt.NDArray[np.int32],
    requests: npt.NDArray[np.int32],
    capacity: int,
    seed: int,
    hit: npt.NDArray[np.int32],
    victims: npt.NDArray[np.int32],
) -> int:
    nodes = parent.size
    columns = np.zeros((COLUMNS, nodes), np.int64)
    marked = np.zeros(nodes if PHASES else 0, np.int8)
    marked_order = np.empty(capacity if PHASES else 0, np.int32)
    s = make_state(columns, marked)
    children = np.full(nodes, -1, np.int32)  # cached children; -1: not cached
    children[0] = 0
    inserted = np.zeros(nodes, np.int64)
    stamp = np.zeros(nodes, np.int64)  # the heap entry that speaks for a leaf; 0: none
    leaves = np.empty(0 if TOUCH else nodes, np.int32)
    place = np.full(0 if TOUCH else nodes, -1, np.int32)
    path = np.empty(depth.max() + 1, np.int32)
    heap = [entry(s, 0, depth, inserted, 0)]
    heap.clear()
    size, insertions, stamps, leaf_count, evictions, marks = 0, 0, 0, 0, 0, 0
    for t in range(requests.size):
        v = requests[t]
        length = depth[v]
        u = v
        for i in range(length - 1, -1, -1):
            path[i] = u
            u = parent[u]
        if PHASES:
            fresh = 0
            for i in range(length):
                fresh += marked[path[i]] == 0
            if marks + fresh > capacity:
                for i in range(marks):
                    marked[marked_order[i]] = 0
                marks = 0
            for i in range(length):
                if marked[path[i]] == 0:
                    marked[path[i]] = 1
                    marked_order[marks] = path[i]
                    marks += 1
        deepest = 0
        for i in range(length):
            if children[path[i]] < 0:
                break
            deepest = path[i]
        hit[t] = deepest
        if TOUCH:
            stamp[deepest] = 0
        elif place[deepest] >= 0:
            leaf_count -= 1
            leaves[place[deepest]] = leaves[leaf_count]
            place[leaves[leaf_count]] = place[deepest]
            place[deepest] = -1
        for i in range(length):
            u = path[i]
            if children[u] < 0:
                children[u] = 0
                children[parent[u]] += 1
                inserted[u] = insertions
                insertions += 1
                size += 1
                on_insert(s, u, t)
            on_access(s, u, t)
        while size > capacity:
            if TOUCH:
                top = heapq.heappop(heap)
                while stamp[top[3]] != top[4]:
                    top = heapq.heappop(heap)
                victim = top[3]
                stamp[victim] = 0
            else:
                top = entry(s, leaves[0], depth, inserted, 0)
                for i in range(1, leaf_count):
                    other = entry(s, leaves[i], depth, inserted, 0)
                    if other < top:
                        top = other
                victim = top[3]
                leaf_count -= 1
                leaves[place[victim]] = leaves[leaf_count]
                place[leaves[leaf_count]] = place[victim]
                place[victim] = -1
            children[victim] = -1
            size -= 1
            on_evict(s, victim, t)
            reset(s, victim)
            if victims.size:
                victims[evictions] = victim
            evictions += 1
            u = parent[victim]
            children[u] -= 1
            if u > 0 and u != v and children[u] == 0:
                if TOUCH:
                    stamps += 1
                    stamp[u] = stamps
                    heapq.heappush(heap, entry(s, u, depth, inserted, stamps))
                else:
                    leaves[leaf_count] = u
                    place[u] = leaf_count
                    leaf_count += 1
        if v > 0 and children[v] == 0:
            if TOUCH:
                stamps += 1
                stamp[v] = stamps
                heapq.heappush(heap, entry(s, v, depth, inserted, stamps))
                if len(heap) > 2 * capacity + 1024:
                    heap = [item for item in heap if stamp[item[3]] == item[4]]
                    heapq.heapify(heap)
            else:
                leaves[leaf_count] = v
                place[v] = leaf_count
                leaf_count += 1
    return evictions
