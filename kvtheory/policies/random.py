"""Uniformly random leaf."""

from __future__ import annotations

from kvtheory.policy import Claim, Policy, State, Trait


class RandomLeaf(Policy):
    """Uniformly random leaf, no memory at all. [Borodin1998]_ [Raghavan1994]_

    Worth no more than leaf-LRU in the worst case, even where the adversary does not see its draws; see
    :ref:`uniform-leaf`.
    """

    name = "random"
    source = "Borodin1998 Raghavan1994"
    traits = Trait.BINARY
    claims = (Claim("max(1, W - 1)", lambda w: max(1, w.W - 1), tight=True),)

    @staticmethod
    def weight(s: State, v: int) -> int:
        return 1
