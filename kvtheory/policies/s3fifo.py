"""S3-FIFO: three queues, first in first out each: small, main and ghost."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Sequence

from kvtheory.leaf_queue import LeafQueue
from kvtheory.object_policy import Key, ObjectPolicy
from kvtheory.rng import SplitMix64

PROMOTE, MOST = 2, 3


class S3FIFO(ObjectPolicy):
    """Leaf from a small FIFO that filters what is asked for once, else from a main one. [Yang2023]_

    New nodes enter the small queue (a tenth of the cache, at least one node). At its front, a node with two
    hits or more moves to the main queue, another is evicted and remembered in the ghost queue (nine tenths).
    Who is asked for again from there enters the main queue. At the front of that, a node with hits (three
    count at most) goes to the back with one less, and one without is evicted. The main queue gives the victim
    where it is over its share or the small one is empty. While nothing has been evicted, a full small queue
    sends new nodes to the main one, as the authors' present program does, not their paper.

    *From flat caches to trees.* A hit counts for every node of the cached path. Only evictable leaves come to
    a front; the missing nodes of a path count one by one, as in :class:`~kvtheory.policies.arc.ARC`; where
    the queue whose turn it is has no evictable leaf, the other gives one. On a flat trace this is S3-FIFO,
    victim for victim, from a capacity of 20 on: below, the authors' program caches nothing.
    """

    name = "s3fifo"
    source = "Yang2023"
    kernel = "kvtheory.engine.kernels.s3fifo"

    def __init__(self, capacity: int, rng: SplitMix64) -> None:
        super().__init__(capacity, rng)
        self.small: LeafQueue[Key] = LeafQueue()
        self.main: LeafQueue[Key] = LeafQueue()
        self.ghost: OrderedDict[Key, None] = OrderedDict()
        self.hits: dict[Key, int] = {}
        self.share = max(1, capacity // 10)
        self.evicted = False
        self.fresh: list[Key] = []
        """What this request inserted, in order."""
        self.fresh_small: list[int] = []
        """How many of those before each, and all in all at the end, entered the small queue."""

    def on_request(self, path: Sequence[Key], cached: Sequence[Key]) -> None:
        self.fresh.clear()
        self.fresh_small = [0]
        for v in cached:
            self.hits[v] += 1

    def on_insert(self, v: Key) -> None:
        known = v in self.ghost
        if known:
            del self.ghost[v]
        evicted = self.evicted or len(self.small) + len(self.main) >= self.capacity
        small = not known and (evicted or len(self.small) < self.share)
        (self.small if small else self.main).push(v)
        self.hits[v] = 0
        self.fresh.append(v)
        self.fresh_small.append(self.fresh_small[-1] + small)

    def on_leaf(self, v: Key) -> None:
        self.small.offer(v)
        self.main.offer(v)

    def victim(self, leaves: Collection[Key]) -> Key | None:
        self.evicted = True
        waiting = self.waiting(self.fresh, len(self.small) + len(self.main))
        in_small = len(self.small)
        if waiting:
            in_small += self.fresh_small[len(self.fresh) - len(waiting)] - self.fresh_small[-1]
        in_main = len(self.small) + len(self.main) - len(waiting) - in_small
        main_first = in_main > self.capacity - self.share or not in_small
        found = self._from_main(leaves) if main_first else self._from_small(leaves)
        if found is None:
            found = self._from_small(leaves) if main_first else self._from_main(leaves)
        for v in waiting[:1]:  # comes in after this eviction, so behind what was moved for it
            (self.small if v in self.small else self.main).push(v)
        return found

    def on_evict(self, v: Key) -> None:
        del self.hits[v]
        if self.small.discard(v):
            self.ghost[v] = None
            if len(self.ghost) > max(1, self.capacity * 9 // 10):
                self.ghost.popitem(last=False)
        self.main.discard(v)

    def _from_small(self, leaves: Collection[Key]) -> Key | None:
        found = self.small.first(leaves)
        while found is not None and self.hits[found] >= PROMOTE:
            self.small.discard(found)
            self.main.push(found)
            self.hits[found] = 0
            found = self.small.first(leaves)
        return found

    def _from_main(self, leaves: Collection[Key]) -> Key | None:
        found = self.main.first(leaves)
        while found is not None and self.hits[found]:
            self.hits[found] = min(self.hits[found], MOST) - 1
            self.main.push(found)
            found = self.main.first(leaves)
        return found
