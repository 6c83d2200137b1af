"""Prefix-aware GreedyDual-Size-Frequency, RAGCache's."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from kvtheory.leaf_queue import LeafHeap
from kvtheory.object_policy import Key, ObjectPolicy
from kvtheory.rng import SplitMix64

LINEAR = 3328
"""Of a block of 16 tokens, in operations of attention between two half blocks; see `gdsf`."""


class PGDSF(ObjectPolicy):
    """Leaf of least clock plus requests times average cost behind what was cached. [Jin2024]_

    GDSF on a tree of knowledge. Whenever a request computes nodes, each of them is charged what a block
    cost in that request: the time to prefill its missing part behind its cached part, over the missing
    part's length. A node's cost is the average of its charges, and its priority is set at every request
    to the clock plus requests times cost. The clock is the largest priority that was evicted. Ties by
    recency, deepest first.

    *Cost.* The authors interpolate measured times. Here it is the model's arithmetic, in the units of
    `gdsf`: of b blocks behind a cached blocks, linear layers take `3328 b` and attention `(a + b)^2 -
    a^2`, so that one is charged `3328 + 2 a + b`, an integer. Priorities are rounded down.

    *From documents to blocks, and what was left out.* RAGCache's nodes are documents of any size; ours
    are blocks of one size. It keeps what it evicts in host memory, a second tier with a queue of its own,
    and it counts requests in a window of time; here the counts and charges of as many evicted nodes as
    the cache holds are remembered. A request counts for every node of its path. (We had the abstract and
    the rule, not the authors' program.)
    """

    name = "pgdsf"
    source = "Jin2024 Cherkasova1998"

    def __init__(self, capacity: int, rng: SplitMix64) -> None:
        super().__init__(capacity, rng)
        self.count: dict[Key, int] = {}
        self.charged: dict[Key, int] = {}
        self.charges: dict[Key, int] = {}
        self.gone: dict[Key, None] = {}
        """Evicted nodes that are remembered, oldest first."""
        self.priority: dict[Key, int] = {}
        self.stamp: dict[Key, int] = {}
        self.heap: LeafHeap[Key] = LeafHeap()
        self.clock = self.stamps = 0
        self.charge = LINEAR + 1
        """Of a node that this request computes."""

    def on_request(self, path: Sequence[Key], cached: Sequence[Key]) -> None:
        self.charge = LINEAR + len(path) + len(cached)
        for v in reversed(path):
            self.stamps += 1
            self.stamp[v] = self.stamps
            self.count[v] = self.count.get(v, 0) + 1
        for v in cached:
            self._value(v)

    def on_insert(self, v: Key) -> None:
        self.gone.pop(v, None)
        self.charged[v] = self.charged.get(v, 0) + self.charge
        self.charges[v] = self.charges.get(v, 0) + 1
        if v not in self.stamp:  # a live engine's: generated since the request came
            self.stamps += 1
            self.stamp[v] = self.stamps
            self.count[v] = self.count.get(v, 0) + 1
        self._value(v)

    def on_leaf(self, v: Key) -> None:
        self.heap.push(v, (self.priority[v], self.stamp[v]))

    def victim(self, leaves: Collection[Key]) -> Key | None:
        return self.heap.first(leaves)

    def on_evict(self, v: Key) -> None:
        self.heap.discard(v)
        self.clock = max(self.clock, self.priority.pop(v))
        del self.stamp[v]
        self.gone[v] = None
        if len(self.gone) > self.capacity:
            lost = next(iter(self.gone))
            del self.gone[lost], self.count[lost], self.charged[lost], self.charges[lost]

    def _value(self, v: Key) -> None:
        self.priority[v] = self.clock + self.count[v] * self.charged[v] // self.charges[v]
