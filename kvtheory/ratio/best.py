"""`--policy best-deterministic` and `best-randomized`: the best ratio that any online algorithm can have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kvtheory.errors import InputError
from kvtheory.ratio.game import fraction
from kvtheory.ratio.instance import Instance
from kvtheory.ratio.minimax import BestDeterministic, BestRandomized, best_deterministic, best_randomized


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
        """The proof as JSON; errors as :func:`kvtheory.certificate_best.best_certificate`."""
        from kvtheory.certificate_best import best_certificate

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


def deterministic(instance: Instance, _: int | None) -> Best:
    """The best deterministic algorithm."""
    return Best("best-deterministic", best_deterministic(instance))


def randomized(instance: Instance, _: int | None) -> Best:
    """The best randomised algorithm against an oblivious adversary."""
    return Best("best-randomized", best_randomized(instance))
