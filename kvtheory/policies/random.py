"""Uniformly random leaf."""

from __future__ import annotations

from typing import Any

from kvtheory.policy import Policy, Trait


class RandomLeaf(Policy):
    """Uniformly random leaf, no memory at all. [Borodin1998]_"""

    name = "random"
    source = "Borodin1998"
    traits = Trait.BINARY

    @staticmethod
    def weight(s: Any, v: int) -> int:
        return 1
