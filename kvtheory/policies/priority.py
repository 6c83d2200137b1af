"""Priority: the leaf of lowest priority, as its requests stated it; among equals the least recently used."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import ClassVar

from kvtheory.coming import Coming
from kvtheory.facts import About
from kvtheory.leaf_queue import LeafHeap
from kvtheory.object_policy import Key, ObjectPolicy
from kvtheory.rng import SplitMix64


class Priority(ObjectPolicy):
    """Leaf of lowest priority; among equals the least recently used. [Zheng2024]_

    SGLang's `priority`: a node has the highest priority of the requests for it since it was inserted, and
    a larger number is kept longer. (vLLM's scheduler serves small numbers first; that number is not
    read.) As there, a request that states none has 0, and priorities may be negative.

    *From radix nodes to blocks.* SGLang splits an edge where a prompt leaves it, and the two parts have the
    same priority; here each block has its own, which comes to the same. Where no request states a
    priority this is leaf-LRU, victim for victim.
    """

    name = "priority"
    source = "Zheng2024"
    reads: ClassVar[tuple[str, ...]] = ("priority",)

    def __init__(self, capacity: int, rng: SplitMix64) -> None:
        super().__init__(capacity, rng)
        self.stated: int | float = 0
        self.coming = Coming(4 * capacity)
        self.time = 0
        self.ranks: LeafHeap[Key] = LeafHeap()

    def on_arrival(self, about: About) -> None:
        self.stated = about.get("priority", 0)

    def on_request(self, path: Sequence[Key], cached: Sequence[Key]) -> None:
        for v in cached:
            self._use(v, max(self.stated, self.ranks.rank(v)[0]))
        self.coming.expect(path[len(cached) :], self.stated)

    def on_insert(self, v: Key) -> None:
        self._use(v, self.coming.take(v, self.stated))

    def on_leaf(self, v: Key) -> None:
        self.ranks.offer(v)

    def on_evict(self, v: Key) -> None:
        self.ranks.discard(v)

    def victim(self, leaves: Collection[Key]) -> Key | None:
        return self.ranks.first(leaves)

    def _use(self, v: Key, priority: int | float) -> None:
        self.time += 1
        self.ranks.push(v, (priority, self.time))
