"""Tail-Optimized LRU: LRU that first gives up what the next turn can do without and still be in time."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import ClassVar

from kvtheory.coming import Coming
from kvtheory.facts import About
from kvtheory.leaf_queue import LeafQueue
from kvtheory.object_policy import Key, ObjectPolicy
from kvtheory.rng import SplitMix64
from kvtheory.sessions import Sessions


class TailLRU(ObjectPolicy):
    """Least recently used leaf that the next turn can miss and still be in time; else of all. [Zhang2025]_

    A conversation whose next prompt is expected to have `L + Q` tokens is answered in time if all but `x`
    of them are cached, where `x` tokens is what can be computed within the target for the time to first
    token. So of its blocks only those of the first `L + Q - x` tokens bring the next turn under the target;
    the rest is surplus and goes first, least recent first. Where nothing is surplus this is leaf-LRU. Hit
    rates are not what it is for: it gives up hits of short conversations for the tail of long ones.

    *The cost model.* The first token comes `FIXED` seconds after the request and as long after that as it
    takes to compute what is not cached, at `SPEED` tokens a second; so `x = SPEED (TARGET - FIXED)`, with
    the values here, 200 ms as in the paper and the speed of an 8B model on an H100, 4,000 tokens.

    *From conversations to trees.* `L` is the prompt's length, `Q` what a prompt has more than that of the
    turn before, answer included, on average over all conversations so far (:mod:`kvtheory.sessions`); the
    paper takes it as given. Until one has gone on, `Q` is 0. A block that several conversations share is
    surplus only if it is for each that asked for it since it was inserted. Where a request does not state
    its `input_length`, a block counts `BLOCK` tokens. The paper's policy was made for whole conversations;
    its rule for a block is a reconstruction.
    """

    name = "tail_lru"
    source = "Zhang2025"
    reads: ClassVar[tuple[str, ...]] = (*Sessions.READS, "input_length")
    TARGET: ClassVar[float] = 0.2
    FIXED: ClassVar[float] = 0.0
    SPEED: ClassVar[float] = 20_000.0
    BLOCK: ClassVar[int] = 16

    def __init__(self, capacity: int, rng: SplitMix64) -> None:
        super().__init__(capacity, rng)
        self.sessions = Sessions()
        self.grown, self.growths = 0, 0
        """Sum and number of the growths that were seen."""
        self.surplus: LeafQueue[Key] = LeafQueue()
        self.needed: LeafQueue[Key] = LeafQueue()
        self.coming = Coming(4 * capacity)

    def on_arrival(self, about: About) -> None:
        self.sessions.arrive(about)

    def on_request(self, path: Sequence[Key], cached: Sequence[Key]) -> None:
        turn = self.sessions.place(path)
        if turn.growth is not None:
            self.grown, self.growths = self.grown + max(0, turn.growth), self.growths + 1
        keep = self._nodes_needed(len(path), turn.tokens)
        for i, v in enumerate(cached):
            self._use(v, i < keep or v in self.needed)
        self.coming.expect(path[len(cached) : keep], True)
        self.coming.expect(path[max(keep, len(cached)) :], False)

    def on_insert(self, v: Key) -> None:
        self._use(v, self.coming.take(v, False))

    def on_leaf(self, v: Key) -> None:
        self.surplus.offer(v)
        self.needed.offer(v)

    def on_evict(self, v: Key) -> None:
        self.surplus.discard(v)
        self.needed.discard(v)

    def victim(self, leaves: Collection[Key]) -> Key | None:
        found = self.surplus.first(leaves)
        return self.needed.first(leaves) if found is None else found

    def _nodes_needed(self, nodes: int, tokens: int) -> int:
        """How many of a path's nodes, root to tip, hold tokens that the next turn must not compute."""
        if not nodes:
            return 0
        tokens, times = tokens or nodes * self.BLOCK, max(1, self.growths)
        need = (tokens - int(self.SPEED * (self.TARGET - self.FIXED))) * times + self.grown
        return min(nodes, max(0, -(-nodes * need // (tokens * times))))

    def _use(self, v: Key, needed: bool) -> None:
        (self.surplus if needed else self.needed).discard(v)
        (self.needed if needed else self.surplus).push(v)
