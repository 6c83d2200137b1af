"""Randomized Leaf Token eviction: marking on trees."""

from __future__ import annotations

from kvtheory.policy import Claim, Policy, State, Trait


class RLT(Policy):
    """Uniformly random unmarked leaf, one node at a time: marking on trees. [Wu2026]_ [Fiat1991]_

    A phase ends when the marks and the new path together would exceed the capacity. Expected cost at most
    4 H_w times OPT, with w the largest number of leaves of a closed set of at most k nodes.
    """

    name = "rlt"
    source = "Wu2026 Fiat1991"
    traits = Trait.BINARY | Trait.PHASES
    claims = (Claim("4 H_w", lambda w: 4 * w.harmonic_w()),)

    @staticmethod
    def weight(s: State, v: int) -> int:
        return 1 - s.marked[v]
