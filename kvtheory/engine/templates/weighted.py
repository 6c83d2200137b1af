"""Replay under a weighted policy: O(1) draws from an indexed set (BINARY), else a walk over the weights.

Marks are ancestor-closed and so is the cache, so a walk up a path stops at the first marked or cached node:
a request costs its newly marked and its missing nodes, a phase change the marks it clears.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from kvtheory._numba import njit
from kvtheory.engine.draw import draw
from kvtheory.engine.templates.hooks import (
    BINARY,
    COLUMNS,
    FULL,
    HAS_HOOKS,
    PHASES,
    make_state,
    on_access,
    on_evict,
    on_insert,
    reset,
    weight,
)


@njit
def total_weight(s: Any, candidates: npt.NDArray[np.int32], count: int) -> int:
    """Sum of the candidates' weights; -1 if one is negative."""
    total = 0
    for i in range(count):
        w = weight(s, candidates[i])
        if w < 0:
            return -1
        total += w
    return total


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
    marked_order = np.empty((2 * capacity if FULL else capacity) if PHASES else 0, np.int32)
    s = make_state(columns, marked)
    children = np.full(nodes, -1, np.int32)  # cached children; -1: not cached
    children[0] = 0
    candidates = np.empty(min(nodes, capacity + depth.max() + 1), np.int32)
    place = np.full(nodes, -1, np.int32)
    path = np.empty(depth.max() + 1 if HAS_HOOKS else 0, np.int32)
    random_state = np.full(1, seed, np.uint64)
    size, count, marks, evictions = 0, 0, 0, 0
    for t in range(requests.size):
        v = requests[t]
        if PHASES:
            fresh = 0
            u = v
            while u > 0 and marked[u] == 0:
                fresh += 1
                u = parent[u]
            if marks + fresh > capacity and not FULL:
                for i in range(marks):
                    marked[marked_order[i]] = 0
                if BINARY:
                    for i in range(marks):
                        u = marked_order[i]
                        if children[u] == 0 and place[u] < 0 and weight(s, u) > 0:
                            candidates[count] = u
                            place[u] = count
                            count += 1
                marks = 0
                fresh = depth[v]
            u = v
            for i in range(marks + fresh - 1, marks - 1, -1):
                marked[u] = 1
                marked_order[i] = u
                u = parent[u]
            marks += fresh
        deepest = v
        while children[deepest] < 0:
            deepest = parent[deepest]
        hit[t] = deepest
        if place[deepest] >= 0:
            count -= 1
            candidates[place[deepest]] = candidates[count]
            place[candidates[count]] = place[deepest]
            place[deepest] = -1
        if deepest != v:
            children[deepest] += 1
            children[v] = 0
            size += depth[v] - depth[deepest]
            u = parent[v]
            while u != deepest:
                children[u] = 1
                u = parent[u]
        if HAS_HOOKS:
            u = v
            for i in range(depth[v] - 1, -1, -1):
                path[i] = u
                u = parent[u]
            for i in range(depth[v]):
                if i >= depth[deepest]:
                    on_insert(s, path[i], t)
                on_access(s, path[i], t)
        while size > capacity:
            chosen = 0
            total = count if BINARY else total_weight(s, candidates, count)
            if FULL and total == 0:
                ended = marks
                for i in range(ended):
                    marked[marked_order[i]] = 0
                u = v
                while u > 0:
                    marked[u] = 1
                    u = parent[u]
                if BINARY:
                    for i in range(ended):
                        u = marked_order[i]
                        if u != v and children[u] == 0 and place[u] < 0 and weight(s, u) > 0:
                            candidates[count] = u
                            place[u] = count
                            count += 1
                marks = depth[v]
                u = v
                for i in range(marks - 1, -1, -1):
                    marked_order[i] = u
                    u = parent[u]
                total = count if BINARY else total_weight(s, candidates, count)
            if total <= 0:
                return -1 - t
            if BINARY:
                chosen = draw(random_state, total)
            else:
                mass = draw(random_state, total)
                while mass >= weight(s, candidates[chosen]):
                    mass -= weight(s, candidates[chosen])
                    chosen += 1
            victim = candidates[chosen]
            if FULL and marked[victim]:
                return -1 - t - requests.size
            count -= 1
            candidates[chosen] = candidates[count]
            place[candidates[chosen]] = chosen
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
            if u > 0 and u != v and children[u] == 0 and (not BINARY or weight(s, u) > 0):
                candidates[count] = u
                place[u] = count
                count += 1
        if v > 0 and children[v] == 0 and (not BINARY or weight(s, v) > 0):
            candidates[count] = v
            place[v] = count
            count += 1
    return evictions
