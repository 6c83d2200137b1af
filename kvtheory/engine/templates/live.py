"""A cache that lives beside an engine's own block pool: the table tells, the engine evicts.

Between calls the engine holds everything in arrays indexed by *slot*; slot 0 is the root. A slot is a node
of the prefix tree for as long as the node is cached, marked or has cached children. `serve` is steps 1 to 4
of :mod:`kvtheory.model`, `evict` step 5, `release` the end of a request. A request may be pinned while others
are served, which the model does not know: see `evict` for what happens when every leaf is pinned or marked.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from kvtheory._numba import njit
from kvtheory.engine.draw import draw
from kvtheory.engine.templates.hooks import (
    BINARY,
    FULL,
    PHASES,
    RANKED,
    RECENCY,
    TOUCH,
    make_state,
    on_access,
    on_evict,
    on_insert,
    rank,
    reset,
    weight,
)

COUNT, MARKS, INSERTIONS, TIME, EARLY_PHASES, RESCUES, LENGTH = range(7)
HEAP = RANKED and (TOUCH or RECENCY)
"""Whether the candidates are a heap: nobody's place among the others changes but by a request or a phase."""


@njit
def before(c: Any, s: Any, u: int, v: int) -> bool:
    """Whether leaf `u` is evicted before leaf `v`: smallest rank, then deepest, then earliest inserted."""
    a, b = rank(s, u), rank(s, v)
    if a != b:
        return a < b
    if c.depth[u] != c.depth[v]:
        return bool(c.depth[u] > c.depth[v])
    return bool(c.inserted[u] < c.inserted[v])


@njit
def put(c: Any, at: int, u: int) -> None:
    c.candidates[at] = u
    c.place[u] = at


@njit
def rise(c: Any, s: Any, at: int) -> int:
    """Move a heap entry up to its place; return it."""
    u = c.candidates[at]
    while at > 0 and before(c, s, u, c.candidates[(at - 1) >> 1]):
        put(c, at, c.candidates[(at - 1) >> 1])
        at = (at - 1) >> 1
    put(c, at, u)
    return at


@njit
def sink(c: Any, s: Any, at: int) -> None:
    """Move a heap entry down to its place."""
    u, count = c.candidates[at], c.counters[COUNT]
    while 2 * at + 1 < count:
        child = 2 * at + 1
        if child + 1 < count and before(c, s, c.candidates[child + 1], c.candidates[child]):
            child += 1
        if not before(c, s, c.candidates[child], u):
            break
        put(c, at, c.candidates[child])
        at = child
    put(c, at, u)


@njit
def join(c: Any, s: Any, u: int) -> None:
    """Make `u` a candidate if it is a cached leaf that nobody uses and that may be evicted."""
    if u == 0 or not c.resident[u] or c.children[u] or c.pins[u] or c.place[u] >= 0:
        return
    if BINARY and weight(s, u) <= 0:
        return
    at = c.counters[COUNT]
    put(c, at, u)
    c.counters[COUNT] += 1
    if HEAP:
        rise(c, s, at)


@njit
def leave(c: Any, s: Any, u: int) -> None:
    """Take `u` from the candidates, if it is one; the last takes its place."""
    at = c.place[u]
    if at < 0:
        return
    c.counters[COUNT] -= 1
    c.place[u] = -1
    last = c.candidates[c.counters[COUNT]]
    if last != u:
        put(c, at, last)
        if HEAP:
            sink(c, s, rise(c, s, at))


@njit
def clear_marks(c: Any, s: Any, dead: npt.NDArray[np.int32]) -> int:
    """End the phase; return how many slots, written to `dead`, no longer stand for anything."""
    count = 0
    for i in range(c.counters[MARKS]):
        c.marked[c.marked_order[i]] = 0
    if HEAP:
        for at in range(c.counters[COUNT] // 2 - 1, -1, -1):
            sink(c, s, at)
    for i in range(c.counters[MARKS]):
        u = c.marked_order[i]
        if BINARY:
            join(c, s, u)
        if not c.resident[u] and c.children[u] == 0:
            dead[count] = u
            count += 1
    c.counters[MARKS] = c.counters[LENGTH] = 0
    return count


@njit
def end_full_phase(c: Any, s: Any, dead: npt.NDArray[np.int32]) -> int:
    """Under FULL, when all that may go is marked: only the path served last stays so. As `clear_marks`."""
    count, ended = 0, c.counters[MARKS]
    for i in range(ended):
        c.marked[c.marked_order[i]] = 0
    for i in range(c.counters[LENGTH]):
        c.marked[c.path[i]] = 1
    for i in range(ended):
        u = c.marked_order[i]
        if BINARY:
            join(c, s, u)
        if not (c.resident[u] or c.children[u] or c.marked[u]):
            dead[count] = u
            count += 1
    for i in range(c.counters[LENGTH]):
        c.marked_order[i] = c.path[i]
    c.counters[MARKS] = c.counters[LENGTH]
    return count


@njit
def insert(c: Any, s: Any, u: int, t: int) -> None:
    """Cache `u`, unless it is, and access it."""
    leave(c, s, u)
    if not c.resident[u]:
        c.resident[u] = 1
        c.inserted[u] = c.counters[INSERTIONS]
        c.counters[INSERTIONS] += 1
        leave(c, s, c.parent[u])
        c.children[c.parent[u]] += 1
        on_insert(s, u, t)
    on_access(s, u, t)


@njit
def serve(
    c: Any,
    path: npt.NDArray[np.int32],
    pinned: npt.NDArray[np.int32],
    upto: int,
    dead: npt.NDArray[np.int32],
) -> int:
    """Steps 1 to 4 for a request whose full blocks are the slots `path`, root to tip.

    The nodes `pinned` gain a pin each; the first `upto` nodes of the path are inserted and accessed. Returns
    how many slots died with the phase.
    """
    s = make_state(c.columns, c.marked)
    t = c.counters[TIME]
    c.counters[TIME] += 1
    count = 0
    if PHASES:
        room = c.marked_order.size
        length = min(path.size, room // 2 if FULL else room)
        fresh = 0
        for i in range(length):
            fresh += c.marked[path[i]] == 0
        if c.counters[MARKS] + fresh > room:
            count = clear_marks(c, s, dead)
        for i in range(length):
            u = path[i]
            if c.marked[u] == 0:
                c.marked[u] = 1
                c.marked_order[c.counters[MARKS]] = u
                c.counters[MARKS] += 1
                if HEAP and c.place[u] >= 0:
                    sink(c, s, rise(c, s, c.place[u]))
        if FULL:
            c.path[:length] = path[:length]
            c.counters[LENGTH] = length
    pin(c, pinned)
    for i in range(upto):
        insert(c, s, path[i], t)
    alive = 0
    for i in range(count):  # a dead slot may be on the path
        if c.marked[dead[i]] == 0 and c.resident[dead[i]] == 0 and c.children[dead[i]] == 0:
            dead[alive] = dead[i]
            alive += 1
    return alive


@njit
def grow(c: Any, nodes: npt.NDArray[np.int32]) -> None:
    """Insert nodes that a running request has filled since it was served, and access them."""
    s = make_state(c.columns, c.marked)
    t = max(0, c.counters[TIME] - 1)
    for u in nodes:
        insert(c, s, u, t)


@njit
def pin(c: Any, nodes: npt.NDArray[np.int32]) -> None:
    """A block of each node goes into use."""
    s = make_state(c.columns, c.marked)
    for u in nodes:
        c.pins[u] += 1
        leave(c, s, u)


@njit
def release(c: Any, nodes: npt.NDArray[np.int32]) -> None:
    """A block of each node goes out of use; a leaf that nobody uses becomes a candidate, in this order."""
    s = make_state(c.columns, c.marked)
    for u in nodes:
        c.pins[u] -= 1
        join(c, s, u)


@njit
def drop(c: Any, u: int) -> None:
    """Node `u` has left the engine's cache, by whatever way."""
    s = make_state(c.columns, c.marked)
    if not c.resident[u]:
        return
    leave(c, s, u)
    c.resident[u] = 0
    c.pins[u] = 0
    on_evict(s, u, max(0, c.counters[TIME] - 1))
    reset(s, u)
    c.children[c.parent[u]] -= 1
    join(c, s, c.parent[u])


@njit
def chosen(c: Any, s: Any) -> int:
    """The candidate to evict; -1 if there is none of positive weight."""
    count = c.counters[COUNT]
    if count == 0:
        return -1
    if not RANKED:
        return drawn(c, s)
    best = c.candidates[0]
    if not HEAP:
        for i in range(1, count):
            if before(c, s, c.candidates[i], best):
                best = c.candidates[i]
    return int(best)


@njit
def drawn(c: Any, s: Any) -> int:
    """A candidate drawn by weight; -1 if none is positive."""
    count = c.counters[COUNT]
    if BINARY:
        return int(c.candidates[draw(c.random, count)])
    total = 0
    for i in range(count):
        total += weight(s, c.candidates[i])
    if total <= 0:
        return -1
    mass = draw(c.random, total)
    at = 0
    while mass >= weight(s, c.candidates[at]):
        mass -= weight(s, c.candidates[at])
        at += 1
    return int(c.candidates[at])


@njit
def rescue(c: Any) -> int:
    """Any cached leaf that nobody uses, uniformly; -1 if there is none."""
    count = 0
    for u in range(1, c.parent.size):
        count += c.resident[u] and c.children[u] == 0 and c.pins[u] == 0
    if count == 0:
        return -1
    left = draw(c.random, count)
    for u in range(1, c.parent.size):
        if c.resident[u] and c.children[u] == 0 and c.pins[u] == 0:
            if left == 0:
                return u
            left -= 1
    return -1


@njit
def evict(
    c: Any, wanted: int, victims: npt.NDArray[np.int32], dead: npt.NDArray[np.int32]
) -> tuple[int, int]:
    """Step 5, `wanted` times; return how many victims and how many dead slots there are, victims among them.

    Requests that run together can pin so much that no leaf of positive weight is left. A policy with phases
    then begins a new one early; should that not help, any free leaf is drawn. Both are counted.
    """
    s = make_state(c.columns, c.marked)
    t = max(0, c.counters[TIME] - 1)
    deaths = 0
    for i in range(wanted):
        victim = chosen(c, s)
        if FULL and victim < 0:
            deaths += end_full_phase(c, s, dead[deaths:])
            victim = chosen(c, s)
        if PHASES and victim < 0 and c.counters[MARKS]:
            deaths += clear_marks(c, s, dead[deaths:])
            c.counters[EARLY_PHASES] += 1
            victim = chosen(c, s)
        if victim < 0:
            victim = rescue(c)
            if victim < 0:
                return i, deaths
            c.counters[RESCUES] += 1
        leave(c, s, victim)
        c.resident[victim] = 0
        on_evict(s, victim, t)
        reset(s, victim)
        victims[i] = victim
        if not c.marked[victim]:
            dead[deaths] = victim
            deaths += 1
        u = c.parent[victim]
        c.children[u] -= 1
        join(c, s, u)
        if u and not (c.resident[u] or c.children[u] or c.marked[u]):
            dead[deaths] = u
            deaths += 1
    return wanted, deaths
