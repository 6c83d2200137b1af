"""The fractional primal-dual algorithm for paging, rounded, on trees."""

from __future__ import annotations

from collections.abc import Sequence
from math import log

import numpy as np

from kvtheory.model import Floats
from kvtheory.object_policy import Key
from kvtheory.rng import SplitMix64
from kvtheory.transfer import Pager, Transferred

BITS = 53
"""Of a random number between 0 and 1."""


class PrimalDualPager(Pager):
    """Missing fractions that grow by themselves, and a cache that is drawn after them. [Bansal2012]_

    A page is missing by x, from 0 to 1. A request sets x to 0 on its path, and as long as more than the
    capacity is held, raises all other x < 1 at the rate x + 1/k. A page requested when the clock stood at y
    is then missing by (exp(clock - y) - 1) / k, whatever happened since: the clock is all that moves. It
    moves at once to where exactly k pages are held: with the pages that reach 1 known, a linear equation.

    Attributes:
        page: what is missing by less than 1, the longest unused first.
        since: float64: the clock when each was requested.
        held: what the drawn cache holds.
    """

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self.clock = 0.0
        self.page: list[Key] = []
        self.since: Floats = np.zeros(0)
        self.held: dict[Key, None] = {}
        """In the order of their last requests."""

    def __contains__(self, key: object) -> bool:
        return key in self.held

    def missing(self) -> Floats:
        """X of each of `page`."""
        return np.expm1(self.clock - self.since) / self.capacity

    def serve(self, path: Sequence[Key], rng: SplitMix64) -> list[Key]:
        """Move the fractions, then draw who goes."""
        self._move(path)
        for v in path:
            self.held.pop(v, None)
            self.held[v] = None
        excess = len(self.held) - self.capacity
        return self._draw(len(path), excess, rng) if excess > 0 else []

    def _move(self, path: Sequence[Key]) -> None:
        k, served = self.capacity, frozenset(path)
        kept = np.array([v not in served for v in self.page], dtype=np.bool_)
        since = self.since[kept]
        grown = np.exp(self.clock - since)
        room = k - len(path)
        # with the first c pages wholly missing: (m - c) - (f * sum(grown[c:]) - (m - c)) / k = room
        left = np.arange(len(grown), 0, -1)
        total = np.cumsum(grown[::-1])[::-1]
        factor = (k * (left - room) + left) / total if len(grown) else np.ones(0)
        gone = int(np.argmax(factor * grown <= k + 1)) if (factor * grown <= k + 1).any() else len(grown)
        if gone < len(grown):
            self.clock += log(max(1.0, factor[gone]))
        others = [v for v, stays in zip(self.page, kept.tolist(), strict=True) if stays]
        self.page = [*others[gone:], *path]
        self.since = np.concatenate([since[gone:], np.full(len(path), self.clock)])

    def _draw(self, pinned: int, excess: int, rng: SplitMix64) -> list[Key]:
        """Those wholly missing go first; then each at odds of its rate over what is held of it."""
        missing = dict(zip(self.page, self.missing().tolist(), strict=True))
        held = list(self.held)[: len(self.held) - pinned]
        lost = [v for v in held if v not in missing][:excess]
        rest = [v for v in held if v in missing]
        x = np.array([missing[v] for v in rest])
        odds = (x + 1 / self.capacity) / np.maximum(1 - x, 2.0**-40)
        for _ in range(excess - len(lost)):
            reach = np.cumsum(odds)
            drawn = rng.below(1 << BITS) / (1 << BITS) * reach[-1]
            at = min(int(np.searchsorted(reach, drawn, side="right")), len(rest) - 1)
            lost.append(rest[at])
            odds[at] = 0.0
        for v in lost:
            del self.held[v]
        return lost


class PrimalDual(Transferred):
    """Fractional primal-dual paging on the nodes of the paths, rounded as it goes. [Bansal2012]_

    *Proved*, for flat caches and for trees alike: the fractions cost at most 2 ln(k + 1) times OPT
    (:doc:`/theory/transfer`). A cache whose every page is missing with its fraction's probability, and which
    costs at most twice as much, exists for flat caches [Blum1999]_, if one may plan for all outcomes at once;
    the transfer then costs nothing. *Not proved*: the rounding here. It follows one outcome, holds k nodes,
    and draws who goes at the rate at which the fractions of those held grow; then probabilities are near the
    fractions, not equal to them. Hence no bound is claimed.

    *Kept and changed.* Unit costs; a path is one request for all its nodes, which are missing by 0 together;
    fractions are floats, and what is held adds up to k within 1e-9 k. The authors' rounding of weighted
    paging is not needed for equal weights.
    """

    name = "primal_dual"
    source = "Bansal2012 Blum1999"
    draws = True
    pager = PrimalDualPager
