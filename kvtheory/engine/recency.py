"""Leaf-LRU without a list: the trace itself is the queue, and its runs are the entries.

The last request of an ancestor is never older than that of a descendant, so the nodes last used by request
q are the bottom stretch of its path. The victim is found by walking a cursor over past requests, and up
each stretch from its deepest node: least recent first, deepest first.
"""

from __future__ import annotations

import numpy as np

from kvtheory._numba import njit
from kvtheory.model import IntArray
from kvtheory.runs import log_victims


@njit
def replay_recency(
    parent: IntArray,
    length: IntArray,
    start: IntArray,
    nodes: IntArray,
    requests: IntArray,
    capacity: int,
    hit: IntArray,
    victims: IntArray,
) -> int:
    """Replay under any policy that declares RECENCY; returns the number of evictions.

    Args:
        parent: int32, shape (R+1,); with the next four as :class:`kvtheory.runs.Runs` has them.
        length: int32, shape (R+1,).
        start: int32, shape (R+1,).
        nodes: int32, shape (n,).
        requests: int32, shape (N,).
        capacity: nodes the cache holds.
        hit: int32, shape (N,), receives the deepest cached node of each path.
        victims: int32, receives the victims in order; empty if they are not wanted.
    """
    last_use = np.full(parent.size, -1, np.int32)
    cached = np.zeros(parent.size, np.int32)  # cached nodes of each run, from its top
    size, evictions = 0, 0
    oldest, run = -1, 0
    for t in range(requests.size):
        deepest = 0
        r = requests[t]
        while r > 0:
            if cached[r] != length[r]:
                if cached[r] > 0:
                    deepest = nodes[start[r] + cached[r] - 1]
                size += length[r] - cached[r]
                cached[r] = length[r]
            elif deepest == 0:
                deepest = nodes[start[r] + length[r] - 1]
            last_use[r] = t
            r = parent[r]
        hit[t] = deepest
        while size > capacity:
            while run <= 0 or last_use[run] != oldest:
                oldest += 1
                run = requests[oldest]
            taken = min(size - capacity, cached[run])
            evictions = log_victims(nodes, start[run] + cached[run] - 1, taken, victims, evictions)
            cached[run] -= taken
            size -= taken
            if cached[run] == 0:
                last_use[run] = -1
                run = parent[run]
    return evictions
