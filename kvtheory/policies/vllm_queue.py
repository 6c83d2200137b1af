"""vLLM's queue of free blocks."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from kvtheory.leaf_queue import LeafQueue
from kvtheory.object_policy import Key, ObjectPolicy
from kvtheory.rng import SplitMix64


class VLLMQueue(ObjectPolicy):
    """Head of a queue that a request's blocks join at the tail, last block first, as it ends. [Kwon2023]_

    A hit takes a block out of the queue for as long as it is used; a new block is taken from the head.
    There is no leaf rule: a parent is not in front of its children by the order alone.

    *One request at a time, it is leaf-LRU, victim for victim.* A request uses its whole path. So the
    queue is sorted by the last request, oldest first, and within one request deepest first. Let x be at
    the head, last used at t. A cached descendant y of x was used no later than x, for who uses y uses x;
    and no earlier, or it would be in front; so at t, by the request whose path holds both, where it is
    the deeper and in front. Hence x is a leaf, and of the oldest leaves the deepest, which is leaf-LRU's
    choice and the engine's rule for ties.

    *Requests that overlap.* vLLM appends when a request ends, so that its order is by ends; this policy
    knows when requests begin, and in vLLM orders by that, as `lru` does. The leaf rule holds in stock
    vLLM all the same: who uses a block uses its ancestors, so that an ancestor is freed last, or at the
    same time and behind.

    *What was left out.* Blocks without a hash, which vLLM takes first (a prompt's last, partial block);
    second copies of a block; and that the last block of a prompt of whole blocks is computed again.
    """

    name = "vllm_queue"
    source = "Kwon2023 Sleator1985"

    def __init__(self, capacity: int, rng: SplitMix64) -> None:
        super().__init__(capacity, rng)
        self.queue: LeafQueue[Key] = LeafQueue()
        self.running: dict[Key, None] = {}
        """What the present request uses, root to tip."""

    def on_request(self, path: Sequence[Key], cached: Sequence[Key]) -> None:
        self._end()
        self.running = dict.fromkeys(path)
        for v in cached:
            self.queue.discard(v)

    def on_insert(self, v: Key) -> None:
        self.running[v] = None

    def on_leaf(self, v: Key) -> None:
        if v in self.running:
            self._end()
        self.queue.offer(v)

    def victim(self, leaves: Collection[Key]) -> Key | None:
        return self.queue.first(leaves)

    def on_evict(self, v: Key) -> None:
        self.queue.discard(v)
        self.running.pop(v, None)

    def _end(self) -> None:
        """The request is over, or in a live engine another begins."""
        for v in reversed(self.running):
            self.queue.push(v)
        self.running = {}
