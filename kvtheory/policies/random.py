"""Uniformly random leaf."""

from __future__ import annotations

from kvtheory.policy import Policy, State, Trait


class RandomLeaf(Policy):
    """Uniformly random leaf, no memory at all. [Borodin1998]_"""

    name = "random"
    source = "Borodin1998"
    traits = Trait.BINARY

    @staticmethod
    def weight(s: State, v: int) -> int:
        return 1
