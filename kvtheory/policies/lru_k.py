"""LRU-K with K = 2: the leaf whose last request but one is longest ago."""

from __future__ import annotations

from kvtheory.policy import ORDER, Policy, State, Trait


class LRU2(Policy):
    """Leaf whose last request but one is oldest; leaves with one request go first. [ONeil1993]_

    LRU-K for K = 2, ties by the last request.

    *What was kept.* A node's history is its two last requests since it entered the cache. The authors also
    keep the history of evicted pages for some time and let requests close together count as one; both are
    periods to be tuned, and neither is here. A request counts for every node of its path. On a flat trace
    this is LRU-2 as libCacheSim has it, victim for victim.
    """

    name = "lru_k"
    source = "ONeil1993"
    columns = {"before": ORDER, "last_use": ORDER}
    traits = Trait.TOUCH
    unbounded = True

    @staticmethod
    def on_access(s: State, v: int, t: int) -> None:
        s.before[v] = s.last_use[v]
        s.last_use[v] = t + 1

    @staticmethod
    def rank(s: State, v: int) -> tuple[int, int]:
        return (s.before[v], s.last_use[v])
