"""Marconi: recency, and what a block saves for the bytes it takes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from kvtheory.hedge import Shadow
from kvtheory.leaf_queue import LeafHeap
from kvtheory.object_policy import Key, ObjectPolicy
from kvtheory.rng import SplitMix64

TENTHS = (0, 2, 5, 10, 20)
"""What alpha may be, in tenths."""
TRIAL = 5
"""Length of the trial, in lengths of the time before the first eviction."""


class Marconi(ObjectPolicy):
    """Leaf of least recency plus alpha times the operations it saves per byte, both from 0 to 1. [Pan2025]_

    The last request of a node and its efficiency are each scaled by their least and greatest values in
    the cache. Alpha is 0, which is leaf-LRU, until the first eviction; after 5 times as many requests
    more, all of them are replayed under every alpha of a grid, 0 to 2, and the one with the fewest misses
    decides from then on (the smallest, if several do). Ties by recency, deepest first.

    *Efficiency.* A block at depth d is worth `3327 + 2 d` (for the shape of Llama-3.1-8B, in the units of
    `gdsf`): its linear layers, and attention to what is before it. All blocks take the same bytes. That
    is linear in depth, and so is the average over a prefix; scaled to 0..1 it is `(d - 1) / (deepest -
    1)` whatever the model, the block and the bytes. In a model with attention alone the criterion is
    depth. Scores are compared in integers.

    *What was carried, and what was left out.* Marconi is made for models with recurrent layers, whose
    state at a prefix cannot be cut to a shorter one. Its admission rule says at which prefixes such a
    state is stored: the last decoded token, and where the tree branches. Keys and values can be cut
    anywhere and all come in; so nothing of that rule remains, and neither do nodes with one child, which
    lose their state and keep their keys. A hit there renews the deepest node alone, for only its state is
    read; here every node of the path is read and renewed. The grid and the length of the trial are ours;
    the authors give a range for the latter, 5 to 15, and try in the background. (We had a summary of the
    paper and its formula.)
    """

    name = "marconi"
    source = "Pan2025"

    def __init__(self, capacity: int, rng: SplitMix64) -> None:
        super().__init__(capacity, rng)
        self.alpha = 0
        self.requests = 0
        self.until = -1
        """Requests at the end of the trial; -1 before the first eviction, 0 once it is over."""
        self.log: list[list[Key]] = []
        self.depth: dict[Key, int] = {}
        self.used: dict[Key, int] = {}
        self.heaps: dict[int, LeafHeap[Key]] = {}
        """The leaves of each depth by their last request; others in them do no harm."""
        self.deepest: Key = None
        """The last node of the present request."""

    def on_request(self, path: Sequence[Key], cached: Sequence[Key]) -> None:
        if 0 < self.until == self.requests:
            self._choose_alpha()
        if self.until:
            self.log.append(list(path))
        self.requests += 1
        for depth, v in enumerate(path, start=1):
            self.depth[v], self.used[v] = depth, self.requests
        self.deepest = path[-1] if path else None

    def on_insert(self, v: Key) -> None:
        if v not in self.used:  # a live engine's: generated since the request came
            self.depth[v], self.used[v] = self.depth.get(self.deepest, 0) + 1, self.requests
            self.deepest = v

    def on_leaf(self, v: Key) -> None:
        self.heaps.setdefault(self.depth[v], LeafHeap()).push(v, (self.used[v],))

    def victim(self, leaves: Collection[Key]) -> Key | None:
        if self.until < 0:
            self.until = self.requests * (1 + TRIAL)
        oldest = [v for heap in self.heaps.values() if (v := heap.first(leaves)) is not None]
        if not oldest:
            return None
        used, depth = self.used, self.depth
        since = min(used[v] for v in oldest)
        reach = max(depth[v] for v in (*oldest, self.deepest) if v in depth) - 1
        fresh, deep = 10 * reach, self.alpha * (self.requests - since)
        return min(oldest, key=lambda v: (fresh * (used[v] - since) + deep * depth[v], used[v], -depth[v]))

    def on_evict(self, v: Key) -> None:
        depth = self.depth.pop(v)
        del self.used[v]
        if heap := self.heaps.get(depth):
            heap.discard(v)
            if not len(heap):
                del self.heaps[depth]

    def snapshot(self) -> dict[str, Any]:
        """As of any policy; the heaps follow from the rest."""
        state = super().snapshot()
        del state["heaps"]
        return state

    def restore(self, state: dict[str, Any]) -> None:
        """As of any policy."""
        super().restore(state)
        self.heaps = {}
        for v in self.used:
            self.on_leaf(v)

    def _choose_alpha(self) -> None:
        misses = []
        for alpha in TENTHS:
            trial = Shadow(Marconi, self.capacity, SplitMix64(0))
            assert isinstance(trial.mind, Marconi)
            trial.mind.alpha, trial.mind.until = alpha, 0
            for path in self.log:
                trial.serve(path)
            misses.append(trial.misses)
        self.alpha = TENTHS[misses.index(min(misses))]
        self.log, self.until = [], 0
