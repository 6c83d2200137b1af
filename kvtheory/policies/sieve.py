"""SIEVE: a hand over the nodes by insertion; what was requested keeps its place and loses its mark."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Sequence

from kvtheory.object_policy import Key, ObjectPolicy
from kvtheory.rng import SplitMix64


class Sieve(ObjectPolicy):
    """First leaf the hand meets, from the oldest on, not requested since it last passed. [Zhang2024]_

    A hit marks a node, and nothing moves. To evict, the hand goes from where it stopped towards newer nodes,
    clears the marks it meets and takes the first unmarked node; past the newest it begins again.

    *From flat caches to trees.* The hand stops at evictable leaves alone and passes inner nodes and those in
    use without clearing their marks; a hit marks the whole cached path. On a flat trace this is SIEVE, victim
    for victim.
    """

    name = "sieve"
    source = "Zhang2024"
    kernel = "kvtheory.engine.kernels.sieve"

    def __init__(self, capacity: int, rng: SplitMix64) -> None:
        super().__init__(capacity, rng)
        self.stamp: dict[Key, int] = {}
        self.node: dict[int, Key] = {}
        self.offered: list[int] = []
        """Stamps of nodes that became evictable, ascending; some are no longer."""
        self.used: set[Key] = set()
        self.stamps = self.hand = 0
        self.first_fresh = 0

    def on_request(self, path: Sequence[Key], cached: Sequence[Key]) -> None:
        self.used.update(cached)
        self.first_fresh = self.stamps

    def on_insert(self, v: Key) -> None:
        self.stamp[v] = self.stamps
        self.node[self.stamps] = v
        self.stamps += 1

    def on_leaf(self, v: Key) -> None:
        at = bisect_left(self.offered, self.stamp[v])
        if at == len(self.offered) or self.offered[at] != self.stamp[v]:
            self.offered.insert(at, self.stamp[v])

    def victim(self, leaves: Collection[Key]) -> Key | None:
        at = bisect_left(self.offered, self.hand)
        while True:
            if at >= len(self.offered):
                at = 0
            v = self.node.get(self.offered[at])
            if v not in leaves:
                del self.offered[at]
            elif v in self.used:
                self.used.remove(v)
                at += 1
            else:
                self.hand = self.offered[at] + 1
                return v

    def on_evict(self, v: Key) -> None:
        stamp = self.stamp.pop(v)
        del self.node[stamp]
        self.used.discard(v)
        newest = next((s for s in reversed(self.node) if s < self.first_fresh), -1)
        if self.hand > newest:
            self.hand = 0
