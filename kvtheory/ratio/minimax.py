"""The best competitive ratio any online algorithm can have on one tree and capacity, with both proofs.

Deterministic: a finite game, solved exactly (:mod:`kvtheory.ratio.minimax_game`). Randomised: a linear
program over one distribution per work function (:mod:`kvtheory.ratio.minimax_lp`), whose rounded optimum is
an algorithm of exactly known ratio; random request sequences prove that nobody does better.

    >>> from kvtheory.model import PrefixTree
    >>> from kvtheory.ratio.instance import Instance
    >>> star = Instance.of(PrefixTree.from_parents([0, 0, 0, 0]), 3)
    >>> best_deterministic(star).ratio, best_randomized(star).ratio
    (Fraction(3, 1), Fraction(11, 6))
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from kvtheory.errors import LimitError
from kvtheory.ratio.instance import Instance
from kvtheory.ratio.minimax_adversary import Adversary, uniform, widest_overflow
from kvtheory.ratio.minimax_algorithm import Algorithm, best_rounding, evaluate
from kvtheory.ratio.minimax_chain import from_dual, remembering
from kvtheory.ratio.minimax_game import Moves, Played, play_online, solve
from kvtheory.ratio.minimax_lp import Hint, solve_program
from kvtheory.ratio.minimax_orbits import Orbits, allowed_states
from kvtheory.ratio.minimax_policy import RandomizedPolicy
from kvtheory.ratio.work_function import WorkFunctions, work_functions

RATIONAL, NUMERIC = "rational", "numeric"
SWEEPS = 20_000  # over the game for one candidate ratio; beyond, only bounds are returned
MEMORY = 2  # past requests that adversaries built from the dual may remember


@dataclass(frozen=True, eq=False)
class BestDeterministic:
    """The best ratio of a deterministic online algorithm.

    Attributes:
        works: OPT's automaton.
        lower, upper: proved bounds.
        online: a strategy that holds `upper` from the empty cache, with potentials.
        adversary: a strategy that forces `lower`, with potentials; None where OPT stops paying.
        seconds: time it took.
    """

    works: WorkFunctions
    lower: Fraction
    upper: Fraction
    online: Played
    adversary: Played | None
    seconds: float

    @property
    def instance(self) -> Instance:
        """The game."""
        return self.works.instance

    @property
    def ratio(self) -> Fraction | None:
        """The exact value; None where the bounds do not meet."""
        return self.upper if self.lower == self.upper else None

    @property
    def kind(self) -> str:
        """`rational` where the bounds meet."""
        return RATIONAL if self.lower == self.upper else NUMERIC

    @property
    def counts(self) -> dict[str, int]:
        """Sizes of the game and of both proofs."""
        return {
            "work_functions": len(self.works),
            "cache_states": len(self.instance.closed),
            "online_pairs": len(self.online.pairs),
            "adversary_pairs": len(self.adversary.pairs) if self.adversary else 0,
        }


@dataclass(frozen=True, eq=False)
class BestRandomized:
    """The best ratio of a randomised online algorithm against an oblivious adversary.

    Attributes:
        works: OPT's automaton.
        lower, upper: proved bounds.
        algorithm: distributions and potentials that prove `upper`.
        adversary: a random request sequence that proves `lower`; None where OPT stops paying.
        value: the linear program's optimum, in floats.
        rows, columns: its size, 0 where none was needed.
        seconds: time it took.
    """

    works: WorkFunctions
    lower: Fraction
    upper: Fraction
    algorithm: Algorithm
    adversary: Adversary | None
    value: float
    rows: int
    columns: int
    seconds: float

    @property
    def instance(self) -> Instance:
        """The game."""
        return self.works.instance

    @property
    def ratio(self) -> Fraction | None:
        """The exact value; None where the bounds do not meet."""
        return self.upper if self.lower == self.upper else None

    @property
    def kind(self) -> str:
        """`rational` where the bounds meet, else `numeric`: the bounds are proved, the value lies between."""
        return RATIONAL if self.lower == self.upper else NUMERIC

    @cached_property
    def distributions(self) -> list[dict[int, Fraction]]:
        """For each work function, the probability of each cache state (index into `instance.closed`)."""
        return [self.algorithm.distribution(q) for q in range(len(self.works))]

    @cached_property
    def potentials(self) -> list[Fraction]:
        """One per work function; with the couplings they prove `upper`."""
        return [self.algorithm.potential(q) for q in range(len(self.works))]

    def policy(self) -> RandomizedPolicy:
        """The algorithm, playable: distributions, and for every request the coupling that moves it."""
        return RandomizedPolicy.of(self.algorithm)

    @property
    def counts(self) -> dict[str, int]:
        """Sizes of the game, the program and the adversary."""
        return {
            "work_functions": len(self.works),
            "orbits": len(self.algorithm.orbits.representatives),
            "cache_states": len(self.instance.closed),
            "rows": self.rows,
            "columns": self.columns,
            "adversary_states": len(self.adversary.chance) if self.adversary else 0,
        }


def best_deterministic(
    instance: Instance, *, works: WorkFunctions | None = None, prefetch: bool = False
) -> BestDeterministic:
    """The best ratio of a deterministic online algorithm, as a rational number.

    Args:
        instance: the game.
        works: its work functions, if they are known.
        prefetch: let the online player load what was not requested and evict what need not go; this never
            helps it, and is for checking just that.

    Raises:
        LimitError: if the game is too large.
    """
    start = time.perf_counter()
    works = work_functions(instance) if works is None else works
    moves = Moves.of(works, prefetch=prefetch)
    if len(instance.used) <= instance.capacity:
        keep = play_online(moves, moves.online_strategy(moves.zero, 1, 1))
        return BestDeterministic(works, Fraction(1), keep.ratio, keep, None, time.perf_counter() - start)
    online, adversary = solve(moves, SWEEPS)
    seconds = time.perf_counter() - start
    return BestDeterministic(works, adversary.ratio, online.ratio, online, adversary, seconds)


def best_randomized(instance: Instance, *, works: WorkFunctions | None = None) -> BestRandomized:
    """The best ratio of a randomised online algorithm: exact where an algorithm and an adversary meet.

    Args:
        instance: the game.
        works: its work functions, if they are known.

    Raises:
        LimitError: if the program is too large, or HiGHS found no optimum.
    """
    start = time.perf_counter()
    works = work_functions(instance) if works is None else works
    orbits = Orbits.of(works)
    tight = allowed_states(works, tight=True)
    if len(instance.used) <= instance.capacity:
        certain = {q: {int(tight[q][0]): Fraction(1)} for q in orbits.representatives}
        keep = evaluate(orbits, certain)
        return BestRandomized(
            works, Fraction(1), keep.ratio, keep, None, 1.0, 0, 0, time.perf_counter() - start
        )
    leaves = widest_overflow(works)
    adversary = uniform(works, leaves) if leaves else None
    lower = adversary.ratio if adversary else Fraction(1)
    hint = solve_program(orbits, tight)
    algorithm = best_rounding(orbits, tight, hint, lower)
    if algorithm.ratio > lower:
        loose = allowed_states(works, tight=False)
        hint = solve_program(orbits, loose)
        algorithm = min(algorithm, best_rounding(orbits, loose, hint, lower), key=lambda a: a.ratio)
        for found in _adversaries(orbits, hint):
            if found.ratio > lower:
                adversary, lower = found, found.ratio
            if lower == algorithm.ratio:
                break
    seconds = time.perf_counter() - start
    return BestRandomized(
        works, lower, algorithm.ratio, algorithm, adversary, hint.rho, hint.rows, hint.columns, seconds
    )


def _adversaries(orbits: Orbits, hint: Hint) -> list[Adversary]:
    works = orbits.works
    found = [from_dual(works, orbits, hint)]
    for requests in range(1, MEMORY + 1):
        try:
            split, origin = remembering(works, requests)
            parts = Orbits.trivial(split)
            again = solve_program(parts, allowed_states(split, tight=False))
        except LimitError:
            break
        found.append(from_dual(works, parts, again, origin))
    return [adversary for adversary in found if adversary]
