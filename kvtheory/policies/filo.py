"""First in, last out among leaves."""

from __future__ import annotations

from kvtheory.policy import ORDER, Policy, State, Trait


class LeafFILO(Policy):
    """Leaf that was inserted last: one of SGLang's choices. [Zheng2024]_

    Like leaf-MRU it keeps a cycle's beginning, and what it keeps it keeps for ever: unbounded.
    """

    name = "filo"
    source = "Zheng2024"
    columns = {"inserted": ORDER}
    traits = Trait.TOUCH
    unbounded = True

    @staticmethod
    def on_insert(s: State, v: int, t: int) -> None:
        s.inserted[v] = t

    @staticmethod
    def rank(s: State, v: int) -> int:
        return -s.inserted[v]
