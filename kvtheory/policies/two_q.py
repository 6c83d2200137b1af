"""2Q: a short FIFO that everything new must pass, and an LRU list for what comes back after it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Sequence

from kvtheory.leaf_queue import LeafQueue
from kvtheory.object_policy import Key, ObjectPolicy
from kvtheory.rng import SplitMix64


class TwoQ(ObjectPolicy):
    """Leaf from a FIFO of new nodes (a quarter of the cache), else from an LRU list. [Johnson1994]_

    New nodes enter the FIFO A1in and are not moved by hits: requests close together count as one. What
    leaves it is remembered for c/2 nodes in A1out, and who is asked for again from there enters the LRU list
    Am. Full 2Q, with Kin = c/4 (at least 1) and Kout = c/2 as its authors advise.

    *From flat caches to trees.* Each node of a path is in one of the lists by itself; the missing nodes of a
    path count one by one, as in :class:`~kvtheory.policies.arc.ARC`. Where the list whose turn it is has no
    evictable leaf, the other gives one. On a flat trace this is 2Q, victim for victim.
    """

    name = "two_q"
    source = "Johnson1994"
    kernel = "kvtheory.engine.kernels.two_q"

    def __init__(self, capacity: int, rng: SplitMix64) -> None:
        super().__init__(capacity, rng)
        self.a1in: LeafQueue[Key] = LeafQueue()
        self.am: LeafQueue[Key] = LeafQueue()
        self.a1out: OrderedDict[Key, None] = OrderedDict()
        self.fresh: list[bool] = []
        """Whether each node that this request inserted is in A1in."""

    def on_request(self, path: Sequence[Key], cached: Sequence[Key]) -> None:
        self.fresh.clear()
        for v in cached:
            if v in self.am:
                self.am.push(v)

    def on_insert(self, v: Key) -> None:
        known = v in self.a1out
        if known:
            del self.a1out[v]
        (self.am if known else self.a1in).push(v)
        self.fresh.append(not known)

    def on_leaf(self, v: Key) -> None:
        self.a1in.offer(v)
        self.am.offer(v)

    def victim(self, leaves: Collection[Key]) -> Key | None:
        waiting = self.waiting(self.fresh, len(self.a1in) + len(self.am))
        over = len(self.a1in) - waiting.count(True) > max(1, self.capacity // 4)
        first, second = (self.a1in, self.am) if over else (self.am, self.a1in)
        found = first.first(leaves)
        return second.first(leaves) if found is None else found

    def on_evict(self, v: Key) -> None:
        if self.a1in.discard(v):
            self.a1out[v] = None
            if len(self.a1out) > max(1, self.capacity // 2):
                self.a1out.popitem(last=False)
        self.am.discard(v)
