"""Least frequently used leaf."""

from __future__ import annotations

from kvtheory.policy import INTEGER, ORDER, Policy, State, Trait


class LeafLFU(Policy):
    """Leaf with the fewest requests since it was inserted, ties by recency. [Sleator1985]_

    Not competitive: one popular past outweighs any present.
    """

    name = "lfu"
    source = "Sleator1985"
    columns = {"count": INTEGER, "last_use": ORDER}
    traits = Trait.TOUCH
    unbounded = True

    @staticmethod
    def on_access(s: State, v: int, t: int) -> None:
        s.count[v] += 1
        s.last_use[v] = t

    @staticmethod
    def rank(s: State, v: int) -> tuple[int, int]:
        return (s.count[v], s.last_use[v])
