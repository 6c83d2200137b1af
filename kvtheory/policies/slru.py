"""Segmented LRU without a limit on the protected segment, as SGLang has it."""

from __future__ import annotations

from kvtheory.policy import ORDER, Column, Policy, State, Trait

PROTECTED = 2


class LeafSLRU(Policy):
    """Least recently used leaf among those requested once; among the others where there is none. [Zheng2024]_

    Segmented LRU [Karedla1994]_ in SGLang's form: a node is protected by its second request and stays so.
    The published one limits the protected segment, and what overflows is on probation again; there a node
    that was popular once must go at last. Here it goes when all leaves are protected.
    """

    name = "slru"
    source = "Zheng2024 Karedla1994"
    columns = {"visits": Column(0, PROTECTED), "last_use": ORDER}
    traits = Trait.TOUCH
    unbounded = True

    @staticmethod
    def on_access(s: State, v: int, t: int) -> None:
        s.visits[v] = min(s.visits[v] + 1, PROTECTED)
        s.last_use[v] = t

    @staticmethod
    def rank(s: State, v: int) -> tuple[int, int]:
        return (s.visits[v], s.last_use[v])
