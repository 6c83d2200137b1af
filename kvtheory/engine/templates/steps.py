"""One request from many canonical states at once: what :mod:`kvtheory.engine.exact` does, compiled."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kvtheory._numba import njit
from kvtheory.engine.templates.hooks import (
    COLUMNS,
    PHASES,
    make_state,
    on_access,
    on_evict,
    on_insert,
    rank,
    reset,
)

DONE, AGE_NEEDED, OUT_OF_RANGE = 0, 1, 2


@njit
def stretched(value: np.int64) -> np.int64:
    """An increasing function of ranks that keeps 0 and no other arithmetic."""
    return 7 * value + value * value * value % 5


@njit
def serve_all(
    parent: npt.NDArray[np.int32],
    depth: npt.NDArray[np.int32],
    capacity: int,
    ordered: npt.NDArray[np.bool_],
    limits: npt.NDArray[np.int64],
    aged: bool,
    stretch: bool,
    states: npt.NDArray[np.int16],
    requests: npt.NDArray[np.int32],
    after: npt.NDArray[np.int16],
    cost: npt.NDArray[np.int32],
) -> int:
    """Serve every request in every state: states (F, n+1, L) to after (F, R, n+1, L) and cost (F, R)."""
    nodes = parent.size
    columns = np.zeros((COLUMNS, nodes), np.int64)
    marked = np.zeros(nodes if PHASES else 0, np.int8)
    s = make_state(columns, marked)
    cached = np.zeros(nodes, np.bool_)
    children = np.zeros(nodes, np.int32)
    inserted = np.zeros(nodes, np.int64)
    values = np.zeros(COLUMNS * nodes + 1, np.int64)
    path = np.empty(depth.max() + 1, np.int32)
    for f in range(states.shape[0]):
        for r in range(requests.size):
            v = requests[r]
            size, marks = 0, 0
            latest = np.int64(0)
            children[:] = 0
            for u in range(nodes):
                label = states[f, u]
                cached[u] = label[0] == 1
                for c in range(COLUMNS):
                    value = np.int64(label[1 + c])
                    if ordered[c]:
                        value = stretched(value) if stretch else value
                        latest = max(latest, value)
                    columns[c, u] = value
                if PHASES:
                    marked[u] = label[1 + COLUMNS]
                    marks += label[1 + COLUMNS]
                inserted[u] = label[-1] if aged else 0
                if cached[u]:
                    size += 1
                    children[parent[u]] += 1
            t = int(latest) + (4 if stretch else 1)
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
                    marked[:] = 0
                for i in range(length):
                    marked[path[i]] = 1
            misses = 0
            for i in range(length):
                u = path[i]
                if not cached[u]:
                    cached[u] = True
                    children[parent[u]] += 1
                    inserted[u] = nodes + misses
                    misses += 1
                    on_insert(s, u, t)
                on_access(s, u, t)
            size += misses
            while size > capacity:
                victim, tied = 0, False
                best = (rank(s, v), np.int64(0), np.int64(0))
                for u in range(1, nodes):
                    if cached[u] and children[u] == 0 and u != v:
                        key = (rank(s, u), np.int64(-depth[u]), inserted[u])
                        if victim == 0 or key < best:
                            tied = victim > 0 and key[0] == best[0] and key[1] == best[1]
                            victim, best = u, key
                        elif key[0] == best[0] and key[1] == best[1]:
                            tied = True
                if tied and not aged:
                    return AGE_NEEDED
                cached[victim] = False
                children[parent[victim]] -= 1
                size -= 1
                on_evict(s, victim, t)
                reset(s, victim)
            cost[f, r] = misses
            count = 0
            for c in range(COLUMNS):
                for u in range(nodes):
                    if ordered[c]:
                        values[count] = columns[c, u]
                        count += 1
                    elif cached[u] and not limits[c, 0] <= columns[c, u] <= limits[c, 1]:
                        return OUT_OF_RANGE
            values[:count].sort()
            label_at = after[f, r]
            for u in range(nodes):
                label_at[u, 0] = cached[u]
                for c in range(COLUMNS):
                    label_at[u, 1 + c] = (
                        order_of(values, count, columns[c, u]) if ordered[c] else columns[c, u]
                    )
                if PHASES:
                    label_at[u, 1 + COLUMNS] = marked[u]
                if aged:
                    older = 0
                    for w in range(1, nodes):
                        older += cached[w] and depth[w] == depth[u] and inserted[w] <= inserted[u]
                    label_at[u, label_at.shape[1] - 1] = older if cached[u] else 0
    return DONE


@njit
def order_of(values: npt.NDArray[np.int64], count: int, value: np.int64) -> int:
    """Rank of a value among the first `count` sorted ones: positive from 1 up, negative from -1 down."""
    seen = 0
    for i in range(count):
        first = i == 0 or values[i] != values[i - 1]
        if value > 0 and first and 0 < values[i] <= value:
            seen += 1
        if value < 0 and first and value <= values[i] < 0:
            seen -= 1
    return seen
