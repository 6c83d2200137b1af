"""CLOCK: first in, first out, with a second chance for what was requested meanwhile."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from kvtheory.leaf_queue import LeafQueue
from kvtheory.object_policy import Key, ObjectPolicy
from kvtheory.rng import SplitMix64


class Clock(ObjectPolicy):
    """First leaf in that was not requested since the hand last passed. [Corbato1968]_

    Every node has a bit, set by a hit. The hand goes round the nodes by insertion; a set bit is cleared and
    saves the node until the next round.

    *From flat caches to trees.* The hand stops at evictable leaves alone, and passes inner nodes and those in
    use without clearing their bits. A hit sets the bits of the whole cached path. On a flat trace this is
    CLOCK, victim for victim.
    """

    name = "clock"
    source = "Corbato1968"
    kernel = "kvtheory.engine.kernels.clock"

    def __init__(self, capacity: int, rng: SplitMix64) -> None:
        super().__init__(capacity, rng)
        self.queue: LeafQueue[Key] = LeafQueue()
        self.used: set[Key] = set()
        self.fresh: list[Key] = []
        """What this request inserted, in order."""

    def on_request(self, path: Sequence[Key], cached: Sequence[Key]) -> None:
        self.fresh.clear()
        self.used.update(cached)

    def on_insert(self, v: Key) -> None:
        self.queue.push(v)
        self.fresh.append(v)

    def on_leaf(self, v: Key) -> None:
        self.queue.offer(v)

    def victim(self, leaves: Collection[Key]) -> Key | None:
        found = self.queue.first(leaves)
        while found in self.used:
            self.used.remove(found)
            self.queue.push(found)
            found = self.queue.first(leaves)
        for v in self.waiting(self.fresh, len(self.queue))[:1]:
            self.queue.push(v)  # comes in after this eviction, so behind what the hand passed
        return found

    def on_evict(self, v: Key) -> None:
        self.queue.discard(v)
        self.used.discard(v)
