"""Marking that draws a node and evicts a leaf below it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from kvtheory.closed_set import ROOT, ClosedSet
from kvtheory.object_policy import Key, ObjectPolicy
from kvtheory.policy import Claim
from kvtheory.rng import SplitMix64


class UniformNodes(ObjectPolicy):
    """Uniformly random leaf below a uniformly random unmarked node: marking by size. [Fiat1991]_ [Wu2026]_

    Phases and marks are RLT's. Where RLT draws among the unmarked leaves, this draws among all unmarked
    nodes, which is what marking on a flat cache would do, and then evicts a leaf of the drawn one's subtree,
    all of which is unmarked. So a chain is hit in proportion to its length, and a subtree to its size.

    On stars it is RLT. It shows what the leaf is for: on chains of 1, 2, 4, ..., 2^(w-1) nodes one clean node
    costs RLT H_w and this more than 1 + (w-1)/2 (:ref:`theorem-leaves_beat_nodes`). Like every marking
    algorithm it is k-competitive (:ref:`theorem-marking_phases`). In a live engine a node that was dropped in
    use may leave nothing unmarked; then the engine's own choice goes.
    """

    name = "uniform_nodes"
    source = "Fiat1991 Wu2026"
    draws = True
    claims = (Claim("k", lambda w: w.k),)

    def __init__(self, capacity: int, rng: SplitMix64) -> None:
        super().__init__(capacity, rng)
        self.marked: dict[Key, None] = {}
        self.cached = ClosedSet()
        self.unmarked: list[Key] = []
        self.place: dict[Key, int] = {}
        """Where in that list an unmarked cached node is."""
        self.path: list[Key] = []

    def on_request(self, path: Sequence[Key], cached: Sequence[Key]) -> None:
        fresh = sum(v not in self.marked for v in path)
        if len(self.marked) + fresh > self.capacity:
            for v in self.marked:
                if v in self.cached:
                    self.place[v] = len(self.unmarked)
                    self.unmarked.append(v)
            self.marked = {}
        for v in path:
            self.marked[v] = None
            self._leave(v)
        self.path = list(path)
        self.cached.use(cached)

    def on_insert(self, v: Key) -> None:
        if v not in self.path:  # a live engine's: generated since the request came
            self.path.append(v)
            self.marked[v] = None
            self._leave(v)
        at = self.path.index(v)
        self.cached.use([v], self.path[at - 1] if at else ROOT)

    def victim(self, leaves: Collection[Key]) -> Key | None:
        if not self.unmarked:
            return None
        drawn = self.unmarked[self.rng.below(len(self.unmarked))]
        below = [v for v in self.cached.leaves(drawn) if v in leaves]
        return below[self.rng.below(len(below))] if below else None

    def on_evict(self, v: Key) -> None:
        self._leave(v)
        self.cached.remove(v)

    def _leave(self, v: Key) -> None:
        at = self.place.pop(v, -1)
        if at < 0:
            return
        last = self.unmarked.pop()
        if last != v:
            self.unmarked[at] = last
            self.place[last] = at
