"""`--policy best-deterministic` and `best-randomized`: the best ratio that any online algorithm can have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from kvtheory.errors import InputError, LimitError
from kvtheory.policies.bucketing import Bucketing
from kvtheory.policies.lru import LeafLRU
from kvtheory.policy import Policy
from kvtheory.ratio.game import fraction, proved_bound
from kvtheory.ratio.instance import Instance
from kvtheory.ratio.minimax import BestDeterministic, BestRandomized, best_deterministic, best_randomized
from kvtheory.ratio.work_function import WorkFunctions, work_functions
from kvtheory.width import harmonic, width


@dataclass(frozen=True)
class Best:
    """The best algorithm of one kind, in the form of the command line.

    Attributes:
        name: `best-deterministic` or `best-randomized`.
        found: bounds, strategies and adversary.
    """

    name: str
    found: BestDeterministic | BestRandomized

    @property
    def settled(self) -> bool:
        """Whether the bounds meet."""
        return self.found.ratio is not None

    def result(self) -> Best:
        """What is known of the ratio."""
        return self

    def to_json(self) -> dict[str, Any]:
        """The command line's contract; no single cycle proves a minimax ratio, so there is none."""
        instance, counts = self.found.instance, self.found.counts
        return {
            "tree": list(instance.parents[1:]),
            "capacity": instance.capacity,
            "policy": self.name,
            "requestable": list(instance.requestable),
            "dropped": list(instance.dropped),
            "ratio": fraction(self.found.ratio),
            "lower": fraction(self.found.lower),
            "upper": fraction(self.found.upper),
            "prefix": None,
            "cycle": None,
            "states": counts["work_functions"],
            "states_reduced": None,
            "transitions": counts["work_functions"] * len(instance.requestable),
            "seconds": self.found.seconds,
        }

    def certificate(self) -> dict[str, Any]:
        """The proof as JSON; errors as :func:`kvtheory.ratio.certificate_best.best_certificate`."""
        from kvtheory.ratio.certificate_best import best_certificate

        return best_certificate(self.found)

    def emitted_policy(self) -> dict[str, Any]:
        """The optimal randomised algorithm: a distribution per work function, a coupling per request.

        Raises:
            InputError: for the deterministic one.
        """
        if not isinstance(self.found, BestRandomized):
            raise InputError(f"{self.name} has no policy to emit", field="emit-policy")
        policy = self.found.policy()
        policy.check()
        return policy.to_json()


@dataclass(frozen=True)
class Enclosed:
    """What theorems say of a game that was too large for the budget.

    Attributes:
        name: `best-deterministic` or `best-randomized`.
        instance: the game.
        lower, upper: proved bounds (docs/theory/width.rst, rlt.rst).
        reason: what was too large.
    """

    name: str
    instance: Instance
    lower: Fraction
    upper: Fraction
    reason: LimitError

    @property
    def settled(self) -> bool:
        """Whether the bounds meet."""
        return self.lower == self.upper

    def result(self) -> Enclosed:
        """What is known of the ratio."""
        return self

    def to_json(self) -> dict[str, Any]:
        """As :meth:`Best.to_json`; nothing was explored to the end."""
        return {
            "tree": list(self.instance.parents[1:]),
            "capacity": self.instance.capacity,
            "policy": self.name,
            "requestable": list(self.instance.requestable),
            "dropped": list(self.instance.dropped),
            "ratio": fraction(self.lower) if self.settled else None,
            "lower": fraction(self.lower),
            "upper": fraction(self.upper),
            "prefix": None,
            "cycle": None,
            "states": None,
            "states_reduced": None,
            "transitions": None,
            "seconds": None,
        }

    def certificate(self) -> dict[str, Any]:
        """Raise the LimitError that ended the search."""
        raise self.reason

    def emitted_policy(self) -> dict[str, Any]:
        """Raise the LimitError that ended the search."""
        raise self.reason


def deterministic(instance: Instance, budget: int | None) -> Best | Enclosed:
    """The best deterministic algorithm; `budget` work functions at most."""
    name = "best-deterministic"
    try:
        return Best(name, best_deterministic(instance, works=_works(instance, budget)))
    except LimitError as reason:
        return Enclosed(
            name, instance, _forced(instance, lambda leaves: leaves), _held(instance, LeafLRU), reason
        )


def randomized(instance: Instance, budget: int | None) -> Best | Enclosed:
    """The best randomised algorithm against an oblivious adversary; `budget` work functions at most."""
    name = "best-randomized"
    try:
        return Best(name, best_randomized(instance, works=_works(instance, budget)))
    except LimitError as reason:
        return Enclosed(
            name, instance, _forced(instance, harmonic), _held(instance, LeafLRU, Bucketing), reason
        )


def _works(instance: Instance, budget: int | None) -> WorkFunctions:
    return work_functions(instance) if budget is None else work_functions(instance, budget)


def _forced(instance: Instance, bound: Callable[[int], int | Fraction]) -> Fraction:
    """`bound(W - 1)`, which every algorithm pays where all nodes that fit may be requested; else 1."""
    if len(instance.requestable) + len(instance.dropped) < instance.tree.n:
        return Fraction(1)
    return Fraction(max(1, bound(width(instance.tree, instance.capacity).W - 1)))


def _held(instance: Instance, *known: type[Policy]) -> Fraction:
    """The least bound that is proved of one of these policies."""
    bounds = [proved_bound(instance, policy) for policy in known]
    return min(bound for bound in bounds if bound is not None)
