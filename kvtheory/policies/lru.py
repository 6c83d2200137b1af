"""Least recently used leaf."""

from __future__ import annotations

from kvtheory.policy import ORDER, Claim, Policy, State, Trait


class LeafLRU(Policy):
    """Least recently used leaf: SGLang's default, and vLLM's order at block granularity. [Sleator1985]_

    On a prefix tree it is flat LRU on the path walked down and up again, and its competitive ratio is
    exactly W - 1 (1 where W <= 2).
    """

    name = "lru"
    source = "Sleator1985"
    columns = {"last_use": ORDER}
    traits = Trait.RECENCY | Trait.TOUCH
    claims = (Claim("max(1, W - 1)", lambda w: max(1, w.W - 1), tight=True),)

    @staticmethod
    def on_access(s: State, v: int, t: int) -> None:
        s.last_use[v] = t

    @staticmethod
    def rank(s: State, v: int) -> int:
        return s.last_use[v]
