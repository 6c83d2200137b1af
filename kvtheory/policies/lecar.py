"""LeCaR: LRU or LFU, drawn by weights that are lowered for the one whose victim is asked for again."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Collection, Sequence

from kvtheory.leaf_queue import LeafHeap, LeafQueue
from kvtheory.object_policy import Key, ObjectPolicy
from kvtheory.rng import SplitMix64

LEARNING_RATE, DISCOUNT = 0.45, 0.005
RESOLUTION = 1 << 53


class LeCaR(ObjectPolicy):
    """Victim of LRU or of LFU, drawn by weights learned from regret. [Vietri2018]_

    Both have a history of c/2 victims, each with its count, which the node gets back. A miss on a node in
    LRU's history was LRU's fault: its weight is multiplied by exp(-0.45 * d**t), t requests after the
    eviction, with d = 0.005**(1/c); then both are scaled to sum 1. LFU alike. Where both name the same
    victim, nobody is blamed and nothing remembered.

    *From flat caches to trees.* LRU names the least recent evictable leaf, LFU the evictable leaf of least
    count, then least recent. A request counts for every node of its path, and time is counted in nodes.
    """

    name = "lecar"
    source = "Vietri2018"
    draws = True

    def __init__(self, capacity: int, rng: SplitMix64) -> None:
        super().__init__(capacity, rng)
        self.recent: LeafQueue[Key] = LeafQueue()
        self.frequent: LeafHeap[Key] = LeafHeap()
        self.by_lru: OrderedDict[Key, list[int]] = OrderedDict()
        self.by_lfu: OrderedDict[Key, list[int]] = OrderedDict()
        self.lru_weight = 0.5
        self.time = 0
        self.blamed = ""
        """Who chose the victim that is about to leave."""

    def on_request(self, path: Sequence[Key], cached: Sequence[Key]) -> None:
        for v in cached:
            self._use(v, self.frequent.rank(v)[0] + 1)

    def on_insert(self, v: Key) -> None:
        count = 0
        if v in self.by_lru:
            count, since = self.by_lru.pop(v)
            self.lru_weight = self._regret(self.lru_weight, since)
        elif v in self.by_lfu:
            count, since = self.by_lfu.pop(v)
            self.lru_weight = 1 - self._regret(1 - self.lru_weight, since)
        self._use(v, count + 1)

    def on_leaf(self, v: Key) -> None:
        self.recent.offer(v)
        self.frequent.offer(v)

    def victim(self, leaves: Collection[Key]) -> Key | None:
        lru, lfu = self.recent.first(leaves), self.frequent.first(leaves)
        if lru == lfu:
            self.blamed = ""
            return lru
        self.blamed = "lru" if self.rng.below(RESOLUTION) < self.lru_weight * RESOLUTION else "lfu"
        return lru if self.blamed == "lru" else lfu

    def on_evict(self, v: Key) -> None:
        if self.blamed:
            history = self.by_lru if self.blamed == "lru" else self.by_lfu
            history[v] = [self.frequent.rank(v)[0], self.time]
            if len(history) > max(1, self.capacity // 2):
                history.popitem(last=False)
        self.blamed = ""
        self.recent.discard(v)
        self.frequent.discard(v)

    def _use(self, v: Key, count: int) -> None:
        self.time += 1
        self.recent.push(v)
        self.frequent.push(v, (count, self.time))

    def _regret(self, weight: float, since: int) -> float:
        """A weight after its choice of `since` turned out wrong now."""
        discounted = DISCOUNT ** ((self.time - since) / self.capacity)
        lowered = weight * math.exp(-LEARNING_RATE * discounted)
        return lowered / (lowered + 1 - weight)
