"""Many caches over one tree, each serving one request at a time: the workers of a cluster.

What a worker holds is laid out in slots as in `live`, which is written out above this in the generated
module; here a hash table finds the slot of a node, and one call serves a request from its phase to its
release.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kvtheory._numba import njit
from kvtheory.engine.live_table import Table
from kvtheory.engine.templates.live import (
    evict,
    release,
    serve,
)

SPREAD = 0x9E3779B1


@njit
def home(f: Any, v: int) -> int:
    """The bucket where the search for node `v` begins."""
    return int(((np.int64(v) * SPREAD) >> 7) & (f.bucket.shape[1] - 1))


@njit
def find(f: Any, w: int, v: int) -> int:
    """Slot of node `v` at worker `w`, 0 if it has none."""
    at = home(f, v)
    while f.bucket[w, at]:
        slot = f.bucket[w, at]
        if f.node[w, slot] == v:
            return int(slot)
        at = (at + 1) & (f.bucket.shape[1] - 1)
    return 0


@njit
def make(f: Any, c: Any, w: int, v: int, parent: int) -> int:
    """A slot for node `v` below slot `parent`."""
    f.unused[w] -= 1
    slot = f.free[w, f.unused[w]]
    f.node[w, slot] = v
    c.parent[slot] = parent
    c.depth[slot] = c.depth[parent] + 1
    at = home(f, v)
    while f.bucket[w, at]:
        at = (at + 1) & (f.bucket.shape[1] - 1)
    f.bucket[w, at] = slot
    return int(slot)


@njit
def let_go(f: Any, c: Any, w: int, slot: int) -> None:
    """Free a slot that stands for nothing any more."""
    v = f.node[w, slot]
    if slot == 0 or v == 0 or c.resident[slot] or c.marked[slot] or c.children[slot]:
        return
    mask = f.bucket.shape[1] - 1
    at = home(f, v)
    while f.bucket[w, at] != slot:
        at = (at + 1) & mask
    after = (at + 1) & mask
    while f.bucket[w, after]:  # close the gap: whoever it kept from home moves up
        distance = (after - home(f, f.node[w, f.bucket[w, after]])) & mask
        if distance >= ((after - at) & mask):
            f.bucket[w, at] = f.bucket[w, after]
            at = after
        after = (after + 1) & mask
    f.bucket[w, at] = 0
    f.node[w, slot] = 0
    f.free[w, f.unused[w]] = slot
    f.unused[w] += 1


@njit
def visit(f: Any, w: int, v: int) -> int:
    """Worker `w` serves node `v`, alone; the deepest node of its path that was cached, 0 for none."""
    t = f.table
    c = Table(
        t.parent[w],
        t.depth[w],
        t.resident[w],
        t.children[w],
        t.pins[w],
        t.inserted[w],
        t.columns[w],
        t.marked[w],
        t.candidates[w],
        t.place[w],
        t.marked_order[w],
        t.path[w],
        t.counters[w],
        t.random[w],
    )
    length = 0
    u = v
    while u > 0:
        f.victims[length] = u
        length += 1
        u = f.above[u]
    hit, slot, found = 0, 0, 0
    for i in range(length):
        u = f.victims[length - 1 - i]
        below = slot
        slot = find(f, w, u)
        if slot == 0:
            slot = make(f, c, w, u, below)
        elif c.resident[slot]:
            hit, found = i + 1, u
        f.path[i] = slot
        f.holders[u, w >> 6] |= np.int64(1) << np.int64(w & 63)
    path = f.path[:length]
    for i in range(serve(c, path, path, length, f.dead)):
        let_go(f, c, w, f.dead[i])
    f.size[w] += length - hit
    count, deaths = evict(c, max(0, f.size[w] - f.capacity[0]), f.victims, f.dead)
    for i in range(count):
        f.holders[f.node[w, f.victims[i]], w >> 6] &= ~(np.int64(1) << np.int64(w & 63))
    for i in range(deaths):
        let_go(f, c, w, f.dead[i])
    f.size[w] -= count
    release(c, path[::-1])
    return int(found)
