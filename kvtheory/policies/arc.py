"""ARC: a queue of nodes seen once, one of nodes seen again, and ghosts that move the border between them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Sequence

from kvtheory.leaf_queue import LeafQueue
from kvtheory.object_policy import Key, ObjectPolicy
from kvtheory.rng import SplitMix64

NEW, RECENT_GHOST, FREQUENT_GHOST = range(3)


class ARC(ObjectPolicy):
    """Adaptive Replacement Cache, node by node. [Megiddo2003]_ [Shen2026]_

    T1 holds cached nodes requested once, T2 those requested again, each least recent first; B1 and B2 are
    the nodes that were evicted from them, without their data. A request for a ghost of B1 says that T1 was
    too small and raises its target p, one of B2 lowers it. The victim comes from T1 where that is above its
    target, else from T2. As published: T1 and B1 hold at most c nodes together, all four at most 2c.

    *From flat caches to trees.* A path is its nodes one after another, root to tip: for each that is missing,
    ARC's steps are taken as published, and when a victim is chosen for it, the missing nodes after it do not
    count yet. On a flat trace this is ARC, victim for victim. What the leaf rule adds: of the queue that ARC
    names, the least recent evictable leaf goes, and if it has none, that of the other queue. All ghost hits
    of a path are seen before its first eviction, so p is that of the whole path.
    """

    name = "arc"
    source = "Megiddo2003 Shen2026"
    kernel = "kvtheory.engine.kernels.arc"
    adapts = True

    def __init__(self, capacity: int, rng: SplitMix64) -> None:
        super().__init__(capacity, rng)
        self.t1: LeafQueue[Key] = LeafQueue()
        self.t2: LeafQueue[Key] = LeafQueue()
        self.b1: OrderedDict[Key, None] = OrderedDict()
        self.b2: OrderedDict[Key, None] = OrderedDict()
        self.p = 0.0
        self.fresh: list[int] = []
        """What the nodes that this request inserted were before, in order."""

    def on_request(self, path: Sequence[Key], cached: Sequence[Key]) -> None:
        self.fresh.clear()
        for v in cached:
            self.t1.discard(v)
            self.t2.push(v)

    def on_insert(self, v: Key) -> None:
        b1, b2 = self.b1, self.b2
        if v in b1:
            self._aim(max(1.0, len(b2) / len(b1)))
            del b1[v]
            self.t2.push(v)
            self.fresh.append(RECENT_GHOST)
        elif v in b2:
            self._aim(-max(1.0, len(b1) / len(b2)))
            del b2[v]
            self.t2.push(v)
            self.fresh.append(FREQUENT_GHOST)
        else:
            self.t1.push(v)
            self.fresh.append(NEW)

    def on_leaf(self, v: Key) -> None:
        self.t1.offer(v)
        self.t2.offer(v)

    def victim(self, leaves: Collection[Key]) -> Key | None:
        waiting = self.waiting(self.fresh, len(self.t1) + len(self.t2))
        recent = len(self.t1) - waiting.count(NEW)
        above = recent > self.p or (waiting[:1] == [FREQUENT_GHOST] and recent == self.p)
        first, second = (self.t1, self.t2) if recent and above else (self.t2, self.t1)
        found = first.first(leaves)
        return second.first(leaves) if found is None else found

    def on_evict(self, v: Key) -> None:
        if self.t1.discard(v):
            self.b1[v] = None
        elif self.t2.discard(v):
            self.b2[v] = None
        while self.b1 and len(self.t1) + len(self.b1) > self.capacity:
            self.b1.popitem(last=False)
        while self.b2 and len(self.t1) + len(self.t2) + len(self.b1) + len(self.b2) > 2 * self.capacity:
            self.b2.popitem(last=False)

    def _aim(self, change: float) -> None:
        if self.adapts:
            self.p = min(float(self.capacity), max(0.0, self.p + change))
