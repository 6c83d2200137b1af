"""What `kvtheory exact` asks for: an instance from text, and who plays on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Protocol

from kvtheory.errors import InputError
from kvtheory.ratio.atlas_theorems import theorem
from kvtheory.ratio.best import Best, Enclosed, deterministic, randomized
from kvtheory.ratio.certificate import certificate
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
    """A solved instance: a policy's game (:class:`Played`), or the best there is."""

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
        return Played(proved.explored(instance, policy), proved.ratio)
    return Played(play(instance, policy, budget=budget))


@dataclass(frozen=True)
class Played:
    """A policy's game.

    Attributes:
        game: what was explored of it; its certificate proves a lower bound at least.
        ratio: what a theorem gives where the game is infinite.
    """

    game: Game
    ratio: Fraction | None = None

    def result(self) -> ExactRatio:
        """The answer; where it is the theorem's, with `prefix` and `cycle` only if a cycle attains it."""
        found = self.game.result()
        if self.ratio is None or found.ratio == self.ratio:
            return found
        return replace(found, lower=self.ratio, upper=self.ratio, prefix=None, cycle=None)

    def certificate(self) -> dict[str, Any]:
        """The proof of what was explored; errors as :func:`kvtheory.ratio.certificate.certificate`."""
        return certificate(self.game)


def emitted_policy(solved: Solved) -> dict[str, Any]:
    """The playable algorithm of `--emit-policy`.

    Raises:
        InputError: if it is not the best randomised one that was solved for.
    """
    if not isinstance(solved, Best | Enclosed):
        raise InputError("only best-randomized has a policy to emit", field="emit-policy")
    return solved.emitted_policy()
