"""LFU with dynamic aging."""

from __future__ import annotations

from kvtheory.policy import INTEGER, ORDER, Policy, State, Trait


class LFUDA(Policy):
    """Leaf of least count plus age, the age being that sum of the last victim. [Arlitt2000]_

    LFU with Dynamic Aging: what is requested now is compared by its count plus the cache's age, so that the
    popular past loses to the present at last. Counts begin at insertion and rise for every node of a path;
    the age is kept at the root. Ties by recency.
    """

    name = "lfuda"
    source = "Arlitt2000"
    columns = {"count": INTEGER, "value": INTEGER, "last_use": ORDER}
    traits = Trait.TOUCH

    @staticmethod
    def on_access(s: State, v: int, t: int) -> None:
        s.count[v] += 1
        s.value[v] = s.count[v] + s.value[0]
        s.last_use[v] = t

    @staticmethod
    def on_evict(s: State, v: int, t: int) -> None:
        s.value[0] = s.value[v]

    @staticmethod
    def rank(s: State, v: int) -> tuple[int, int]:
        return (s.value[v], s.last_use[v])
