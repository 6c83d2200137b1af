"""W-TinyLFU: a small LRU window, and a main cache into which only the more frequent may pass."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from kvtheory.leaf_queue import LeafQueue
from kvtheory.object_policy import Key, ObjectPolicy
from kvtheory.rng import SplitMix64

SAMPLE = 10


class WTinyLFU(ObjectPolicy):
    """The less frequent of the window's and the main part's least recent leaf. [Einziger2017]_

    New nodes enter a window, an LRU list of a hundredth of the cache. What it cannot hold passes into the
    main part while that has room; then the least recent of the window and of the main part are compared by
    how often they were requested, evicted nodes included, and the window's enters only if it was more often.
    The main part is a segmented LRU: a hit protects, four fifths may be protected.

    *What was changed.* Counts are exact instead of a sketch, for a sketch hashes keys, and then victims
    depend on names. As in TinyLFU all are halved after every 10c requests of nodes; who has none left is
    forgotten.

    *From flat caches to trees.* A request counts for every node of its path, tip first. Both sides name an
    evictable leaf, and where only one can, that goes. The engine has inserted a node before it is compared:
    there is no refusing what a running request needs.
    """

    name = "wtinylfu"
    source = "Einziger2017"
    kernel = "kvtheory.engine.kernels.wtinylfu"

    def __init__(self, capacity: int, rng: SplitMix64) -> None:
        super().__init__(capacity, rng)
        self.window: LeafQueue[Key] = LeafQueue()
        self.probation: LeafQueue[Key] = LeafQueue()
        self.protected: LeafQueue[Key] = LeafQueue()
        self.count: dict[Key, int] = {}
        self.counted = 0
        self.main = capacity - max(1, capacity // 100)

    def on_request(self, path: Sequence[Key], cached: Sequence[Key]) -> None:
        for v in path:
            self.count[v] = self.count.get(v, 0) + 1
        self.counted += len(path)
        if self.counted >= SAMPLE * self.capacity:
            self.count = {v: count // 2 for v, count in self.count.items() if count > 1}
            self.counted = 0
        for v in reversed(cached):
            if v in self.window:
                self.window.push(v)
                continue
            self.probation.discard(v)
            self.protected.push(v)
            if len(self.protected) > self.main * 4 // 5:
                self.probation.push(self.protected.pop())

    def on_insert(self, v: Key) -> None:
        self.window.push(v)
        if len(self.window) > self.capacity - self.main and self._in_main() < self.main:
            self.probation.push(self.window.pop())

    def on_leaf(self, v: Key) -> None:
        for queue in (self.window, self.probation, self.protected):
            queue.offer(v)

    def victim(self, leaves: Collection[Key]) -> Key | None:
        candidate, resident = self.window.first(leaves), self.probation.first(leaves)
        if resident is None:
            resident = self.protected.first(leaves)
        if candidate is None or resident is None:
            return resident if candidate is None else candidate
        if self.count.get(candidate, 0) <= self.count.get(resident, 0):
            return candidate
        self.window.discard(candidate)
        self.probation.push(candidate)
        return resident

    def on_evict(self, v: Key) -> None:
        for queue in (self.window, self.probation, self.protected):
            queue.discard(v)

    def _in_main(self) -> int:
        return len(self.probation) + len(self.protected)
