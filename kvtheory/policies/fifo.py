"""First in, first out among leaves."""

from __future__ import annotations

from kvtheory.policy import ORDER, Claim, Policy, State, Status, Trait


class LeafFIFO(Policy):
    """Leaf that was inserted first. [Sleator1985]_

    Verified to be (W - 1)-competitive on every tree of at most 7 nodes; not proved in general.
    """

    name = "fifo"
    source = "Sleator1985"
    columns = {"inserted": ORDER}
    traits = Trait.TOUCH
    claims = (Claim("max(1, W - 1)", lambda w: max(1, w.W - 1), tight=True, status=Status.CONJECTURE),)

    @staticmethod
    def on_insert(s: State, v: int, t: int) -> None:
        s.inserted[v] = t

    @staticmethod
    def rank(s: State, v: int) -> int:
        return s.inserted[v]
