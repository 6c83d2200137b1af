"""Replay under a policy that is an object and has a kernel: :mod:`kvtheory.engine.objects`, compiled."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kvtheory._numba import njit
from kvtheory.engine.lists import CHILDREN, FREE, FRESH, hold, offer
from kvtheory.engine.templates.list_hooks import (
    on_evict,
    on_insert,
    on_request,
    victim,
)


@njit
def replay(
    parent: npt.NDArray[np.int32],
    depth: npt.NDArray[np.int32],
    requests: npt.NDArray[np.int32],
    capacity: int,
    node: npt.NDArray[np.int32],
    m: npt.NDArray[np.int64],
    hit: npt.NDArray[np.int32],
    victims: npt.NDArray[np.int32],
) -> int:
    """Number of evictions; -1 - t if request t named a victim that may not go."""
    path = np.empty(depth.max() + 1, np.int32)
    size, evictions = 0, 0
    for t in range(requests.size):
        tip = requests[t]
        length = depth[tip]
        u, held = tip, 0
        for i in range(length - 1, -1, -1):
            path[i] = u
            if held == 0 and node[u, CHILDREN] >= 0:
                held = i + 1
            u = parent[u]
        deepest = path[held - 1] if held else 0
        hit[t] = deepest
        hold(node, m, deepest)
        m[FRESH] = 0
        on_request(node, m, path, length, held)
        if held < length:
            node[deepest, CHILDREN] += 1
            size += length - held
            for i in range(held, length):
                node[path[i], CHILDREN] = i < length - 1
                on_insert(node, m, path[i])
        while size > capacity:
            chosen = victim(node, m, size - capacity)
            if chosen <= 0 or not node[chosen, FREE]:
                return -1 - t
            hold(node, m, chosen)
            node[chosen, CHILDREN] = -1
            size -= 1
            if victims.size:
                victims[evictions] = chosen
            evictions += 1
            on_evict(node, m, chosen)
            u = parent[chosen]
            node[u, CHILDREN] -= 1
            if u > 0 and u != tip and node[u, CHILDREN] == 0:
                offer(node, m, u)
        if tip > 0 and node[tip, CHILDREN] == 0:
            offer(node, m, tip)
    return evictions
