"""LIRS: nodes with a short time between their last two requests stay, others pass through a short queue."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Sequence

from kvtheory.leaf_queue import LeafQueue
from kvtheory.object_policy import Key, ObjectPolicy
from kvtheory.rng import SplitMix64


class LIRS(ObjectPolicy):
    """Leaf from a short queue of nodes whose last two requests were far apart. [Jiang2002]_

    Cached nodes are LIR (low inter-reference recency; all but a hundredth of the cache) or HIR. The stack S
    holds every node requested since the oldest LIR node was, evicted ones too; the queue Q holds the cached
    HIR nodes, whose front is the victim. A HIR node requested while it is still on S becomes LIR, and the
    oldest LIR node goes to the back of Q. S is cut below its oldest LIR node, and forgets the nodes evicted
    first when it holds more than 2c.

    *From flat caches to trees.* The nodes of a cached path are requested tip first, so that an ancestor is
    more recent than what hangs from it; missing ones come in root first. If Q has no evictable leaf, the
    least recent LIR leaf goes, and is forgotten. On a flat trace this is LIRS as published; libCacheSim
    demotes a LIR node on a hit in Q, too, and then takes a new node for LIR.
    """

    name = "lirs"
    source = "Jiang2002"
    kernel = "kvtheory.engine.kernels.lirs"

    def __init__(self, capacity: int, rng: SplitMix64) -> None:
        super().__init__(capacity, rng)
        self.stack: OrderedDict[Key, None] = OrderedDict()
        self.lir: LeafQueue[Key] = LeafQueue()
        self.hir: LeafQueue[Key] = LeafQueue()
        self.evicted: OrderedDict[Key, None] = OrderedDict()
        """Nodes on the stack that are not cached, in the order of their eviction."""

    def on_request(self, path: Sequence[Key], cached: Sequence[Key]) -> None:
        for v in reversed(cached):
            known = v in self.stack
            self._to_top(v)
            if v in self.lir:
                self.lir.push(v)
                self._prune()
            elif known:
                self.hir.discard(v)
                self._promote(v)
            else:
                self.hir.push(v)
        self._limit()

    def on_insert(self, v: Key) -> None:
        known = v in self.stack
        self.evicted.pop(v, None)
        self._to_top(v)
        if known or len(self.lir) < self._most():
            self._promote(v)
        else:
            self.hir.push(v)

    def on_leaf(self, v: Key) -> None:
        self.lir.offer(v)
        self.hir.offer(v)

    def victim(self, leaves: Collection[Key]) -> Key | None:
        found = self.hir.first(leaves)
        return self.lir.first(leaves) if found is None else found

    def on_evict(self, v: Key) -> None:
        if self.hir.discard(v):
            if v in self.stack:
                self.evicted[v] = None
        elif self.lir.discard(v):
            del self.stack[v]
            self._prune()
        self._limit()

    def _most(self) -> int:
        """LIR nodes at most."""
        return self.capacity - max(1, self.capacity // 100)

    def _to_top(self, v: Key) -> None:
        self.stack[v] = None
        self.stack.move_to_end(v)

    def _promote(self, v: Key) -> None:
        """Make a node at the top of the stack LIR, and the oldest LIR node HIR if that is one too many."""
        self.lir.push(v)
        if len(self.lir) > self._most():
            oldest = self.lir.pop()
            del self.stack[oldest]
            self.hir.push(oldest)
            self._prune()

    def _prune(self) -> None:
        """Cut the stack below its oldest LIR node."""
        while self.stack and (bottom := next(iter(self.stack))) not in self.lir:
            del self.stack[bottom]
            self.evicted.pop(bottom, None)

    def _limit(self) -> None:
        while len(self.stack) > 2 * self.capacity and self.evicted:
            del self.stack[self.evicted.popitem(last=False)[0]]
