"""Ratios that no finite graph attains: the uniformly random leaf, by theorem, and the game as a check.

Theorem (docs/theory/atlas.rst). Evicting a uniformly random leaf is exactly max(1, W - 1)-competitive.
Sequences that come near it repeat a round of requests until the cache has settled with high probability;
every repetition is a new distribution, and the game does not end.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from kvtheory.policy import Policy
from kvtheory.ratio.belief import belief_graph
from kvtheory.ratio.cover import upper_bound
from kvtheory.ratio.game import Game, play
from kvtheory.ratio.instance import Instance
from kvtheory.ratio.work_function import work_functions
from kvtheory.width import width

EXPLORED = 60
ANCHORS = (1, 30)


@dataclass(frozen=True)
class Bounds:
    """A ratio that is proved, and where.

    Attributes:
        ratio: exact.
        where: the proof.
    """

    ratio: Fraction
    where: str

    def explored(self, instance: Instance, policy: type[Policy]) -> Game:
        """A small part of the policy's game: all of it where it is finite, else a lower bound."""
        return play(instance, policy, budget=EXPLORED, convexity=False)

    def checked_upper(self, instance: Instance, game: Game) -> Fraction:
        """An upper bound on the policy's ratio by convexity, found without the theorem."""
        beliefs = belief_graph(instance, game.policy, budget=1).beliefs.without_symmetry()
        works = work_functions(instance)
        found = [upper_bound(beliefs, works, anchors) for anchors in ANCHORS]
        return min((bound.ratio for bound in found if bound), default=Fraction(instance.capacity**2))


def theorem(instance: Instance, name: str) -> Bounds | None:
    """What is proved of a policy whose game is infinite; None where nothing is.

    It is about every node being requestable, so None where one is not.
    """
    if name != "random" or len(instance.requestable) + len(instance.dropped) < instance.tree.n:
        return None
    W = width(instance.tree, instance.capacity).W
    return Bounds(Fraction(max(1, W - 1)), "docs/theory/atlas.rst, theorem on the uniformly random leaf")
