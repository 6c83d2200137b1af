"""Predictive marker: marking whose victims are predicted, as long as predictions hold."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from kvtheory.advice.advised import Advised
from kvtheory.marks import Marks
from kvtheory.object_policy import Key
from kvtheory.rng import SplitMix64


class PredictiveMarker(Advised):
    """The unmarked leaf predicted last; a uniformly random one in a long chain of errors. [Lykouris2018]_

    A miss on a node that was evicted in this phase says that the eviction was an error, and the eviction
    that makes room for it belongs to the same *chain*; every other miss that needs room begins a chain. The
    first `H_m` evictions of a chain, rounded up, are those of the predictor, with `m` the unmarked leaves
    when the phase began; the following ones are drawn uniformly among the unmarked leaves. (Trusting the
    first alone is another choice [Rohatgi2020]_.)

    *From flat caches to trees.* Marks, phases and draws are those of RLT, leaves stand where the flat
    analysis has pages, and each missing node of a path has its own chain. In a phase with `c` nodes that
    were not cached at its start and are requested, at most `c (ceil(H_m) + H_m)` misses are expected,
    whatever is predicted. With perfect predictions it misses at most 3 times as much as OPT. What does not
    carry over is the constant in between: it costs at most k times OPT, and there are trees where wrong
    predictions make it lose (k+1)/2 times OPT, while leaf-LRU misses what OPT does. :doc:`/theory/advice`
    has the proofs, and `robust_advice` is the remedy.
    """

    name = "predictive_marker"
    source = "Lykouris2018 Rohatgi2020 Fiat1991"
    draws = True

    def __init__(self, capacity: int, rng: SplitMix64) -> None:
        super().__init__(capacity, rng)
        self.marks = Marks(capacity)
        self.trusted = 0
        """Evictions of a chain that are the predictor's."""
        self.lengths: list[int] = []
        """Evictions of each chain of this phase."""
        self.chain: dict[Key, int] = {}
        """Of each node that was evicted in this phase and not requested since."""
        self.room: list[int] = []
        """The chains for which this request must still evict; -1 for a new one."""

    def on_request(self, path: Sequence[Key], cached: Sequence[Key]) -> None:
        super().on_request(path, cached)
        held, missing = len(self.expected), path[len(cached) :]
        before = len(self.marks.unmarked)
        freed = self.marks.on_request(path, cached)
        if freed is not None:
            self.trusted = math.ceil(sum(1 / i for i in range(1, before + len(freed) + 1)))
            self.lengths, self.chain = [], {}
            for v in freed:
                self.expected.offer(v)
        chains = [self.chain.pop(v, -1) for v in missing]
        self.room = chains[max(0, self.capacity - held) :]

    def on_leaf(self, v: Key) -> None:
        if self.marks.on_leaf(v):
            self.expected.offer(v)

    def on_evict(self, v: Key) -> None:
        super().on_evict(v)
        self.marks.on_evict(v)

    def victim(self, leaves: Collection[Key]) -> Key | None:
        chain = self.room.pop(0) if self.room else -1
        if chain < 0:
            chain = len(self.lengths)
            self.lengths.append(0)
        self.lengths[chain] += 1
        if self.lengths[chain] > self.trusted:
            v = self.marks.draw(self.rng, leaves)
        else:
            v = self.expected.last(_Both(self.marks.place, leaves))
        if v is not None:
            self.chain[v] = chain
        return v


class _Both:
    """What is in two containers."""

    def __init__(self, one: Collection[Key], other: Collection[Key]) -> None:
        self.one, self.other = one, other

    def __contains__(self, v: object) -> bool:
        return v in self.one and v in self.other
