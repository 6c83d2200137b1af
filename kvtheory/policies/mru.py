"""Most recently used leaf."""

from __future__ import annotations

from kvtheory.policy import ORDER, Policy, State, Trait


class LeafMRU(Policy):
    """Most recently used leaf: good on cyclic scans, unbounded elsewhere. [Sleator1985]_"""

    name = "mru"
    source = "Sleator1985"
    columns = {"last_use": ORDER}
    traits = Trait.TOUCH
    unbounded = True

    @staticmethod
    def on_access(s: State, v: int, t: int) -> None:
        s.last_use[v] = t

    @staticmethod
    def rank(s: State, v: int) -> int:
        return -s.last_use[v]
