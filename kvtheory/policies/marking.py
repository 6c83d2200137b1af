"""Deterministic marking."""

from __future__ import annotations

from kvtheory.policy import ORDER, Claim, Policy, State, Trait


class Marking(Policy):
    """Least recently used unmarked leaf: deterministic marking on trees. [Fiat1991]_

    Marked nodes were requested in this phase and unmarked ones were not, so the least recently used
    unmarked leaf is the least recently used leaf: marking with this tie-break is leaf-LRU, victim for
    victim, and inherits its exact ratio.
    """

    name = "marking"
    source = "Fiat1991"
    columns = {"last_use": ORDER}
    traits = Trait.RECENCY | Trait.PHASES
    claims = (Claim("max(1, W - 1)", lambda w: max(1, w.W - 1), tight=True),)

    @staticmethod
    def on_access(s: State, v: int, t: int) -> None:
        s.last_use[v] = t

    @staticmethod
    def rank(s: State, v: int) -> tuple[int, int]:
        return (s.marked[v], s.last_use[v])
