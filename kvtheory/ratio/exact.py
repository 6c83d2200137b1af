"""What `kvtheory exact` asks for: an instance from text, and who plays on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Protocol

from kvtheory.errors import InputError
from kvtheory.ratio.atlas_theorems import theorem
from kvtheory.ratio.best import Best, Enclosed, deterministic, randomized
from kvtheory.ratio.game import ExactRatio, Game, play
from kvtheory.ratio.instance import Instance
from kvtheory.registry import policy_with_columns
from kvtheory.shapes import parse_tree


class Result(Protocol):
    """What is known of a ratio; see :class:`kvtheory.ratio.game.ExactRatio`."""

    @property
    def settled(self) -> bool: ...
    def to_json(self) -> dict[str, Any]: ...


class Solved(Protocol):
    """A solved instance; :class:`kvtheory.ratio.game.Game` is one."""

    def result(self) -> Result: ...
    def certificate(self) -> dict[str, Any]: ...


BEST: dict[str, Callable[[Instance, int | None], Solved]] = {
    "best-deterministic": deterministic,
    "best-randomized": randomized,
}
"""Best possible online algorithms, by the name that `--policy` takes: from an instance and a budget."""


def parse_instance(tree: str, capacity: int, requestable: str | None) -> Instance:
    """The instance of `--tree`, `--capacity` and `--requestable`.

    Args:
        tree: as :func:`kvtheory.shapes.parse_tree` reads it.
        capacity: nodes the cache holds.
        requestable: nodes separated by commas; `terminals` for the leaves of what fits; `all` or None.

    Raises:
        InputError: if one of them is wrong.
    """
    everything = Instance.of(parse_tree(tree), capacity)
    if requestable is None or requestable == "all":
        return everything
    if requestable == "terminals":
        inner = {everything.parents[v] for v in everything.requestable}
        return Instance.of(everything.tree, capacity, sorted(set(everything.requestable) - inner))
    try:
        nodes = [int(part) for part in requestable.split(",")]
    except ValueError:
        raise InputError(
            f"'{requestable}' is neither a list of nodes nor terminals nor all", field="requestable"
        ) from None
    return Instance.of(everything.tree, capacity, nodes)


def solve_exact(instance: Instance, name: str, budget: int | None) -> Solved:
    """Play the game of the policy called `name`, or find the best one.

    Raises:
        InputError: for an unknown name or a budget that is not positive.
    """
    if budget is not None and budget < 1:
        raise InputError(f"{budget} states: the budget is not positive", field="budget")
    if name in BEST:
        return BEST[name](instance, budget)
    policy = policy_with_columns(name, BEST)
    if proved := theorem(instance, name):
        return ByTheorem(proved.explored(instance, policy), proved.ratio)
    return play(instance, policy, budget=budget)


@dataclass(frozen=True)
class ByTheorem:
    """A policy whose game is infinite, and whose ratio a theorem gives.

    Attributes:
        game: a small part of the game; its certificate proves a lower bound.
        ratio: by the theorem.
    """

    game: Game
    ratio: Fraction

    def result(self) -> ExactRatio:
        """The theorem's ratio; `prefix` and `cycle` only where a cycle attains it."""
        found = self.game.result()
        if found.ratio == self.ratio:
            return found
        return replace(found, lower=self.ratio, upper=self.ratio, prefix=None, cycle=None)

    def certificate(self) -> dict[str, Any]:
        """The proof of what the explored part shows; errors as :func:`kvtheory.certificate.certificate`."""
        return self.game.certificate()


def emitted_policy(solved: Solved) -> dict[str, Any]:
    """The playable algorithm of `--emit-policy`.

    Raises:
        InputError: if it is not the best randomised one that was solved for.
    """
    if not isinstance(solved, Best | Enclosed):
        raise InputError("only best-randomized has a policy to emit", field="emit-policy")
    return solved.emitted_policy()
