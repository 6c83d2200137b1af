"""The exact competitive ratio of a policy on one tree and capacity, over all request sequences.

The adversary moves in a finite graph: pairs of the policy's state (or, if it draws, of its distribution over
states) and OPT's normalised work function. Every request is an edge with a cost for the policy and an
increase of OPT; the ratio is the largest sum of costs over sum of increases round a cycle. [Borodin1998]_
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from kvtheory.errors import PolicyError
from kvtheory.policy import Policy, Status
from kvtheory.ratio.automaton import minimised, policy_automaton
from kvtheory.ratio.belief import belief_graph
from kvtheory.ratio.cover import UpperBound, upper_bound
from kvtheory.ratio.cycle import CycleRatio, maximum_cycle_ratio
from kvtheory.ratio.instance import Instance
from kvtheory.ratio.product import Player, Product, Turner, concrete_states, product
from kvtheory.ratio.walk import concrete_cycle, idle_cycle
from kvtheory.ratio.work_function import work_functions
from kvtheory.width import width

STATES, BELIEFS = 1_000_000, 20_000
STAGES = (300, 3000)
ANCHORS = (100, 300)


@dataclass(frozen=True, eq=False)
class Game:
    """A policy against OPT on one instance, solved; make one with :func:`play`.

    Attributes:
        instance: tree, capacity and requestable nodes.
        policy: what plays.
        player: its states, up to symmetry and behaviour.
        turner: OPT's work functions.
        found: the explored pairs.
        alg, opt: cost and increase of every edge, shape (N, R); `alg` in units of 1/scale.
        best: the largest ratio of a cycle, in those units.
        states: pairs of the concrete tree, before states were merged; None where the budget cut them.
        seconds: time it took.
        budget: the budget it was given.
        bound: where a policy that draws reached too many distributions: an upper bound by convexity.
    """

    instance: Instance
    policy: type[Policy]
    player: Player
    turner: Turner
    found: Product
    alg: Any
    opt: Any
    best: CycleRatio
    states: int | None
    seconds: float
    budget: int | None
    bound: UpperBound | None = None

    @property
    def complete(self) -> bool:
        """Whether every reachable pair was explored."""
        return bool((self.found.target >= 0).all())

    def _upper(self) -> Fraction | None:
        claimed = proved_bound(self.instance, self.policy)
        if claimed is not None and (self.lower is None or self.lower > claimed):
            raise PolicyError(
                f"{self.policy.name} claims a ratio of at most {claimed}, and a cycle costs it more"
            )
        bounds = [claimed, self.bound.ratio if self.bound else None]
        return min((bound for bound in bounds if bound is not None), default=None)

    @property
    def lower(self) -> Fraction | None:
        """The largest ratio of a cycle that was found, at least 1; None if it is infinite."""
        return None if self.best.ratio is None else max(Fraction(1), self.best.ratio / self.player.scale)

    def result(self) -> ExactRatio:
        """The answer, with a cycle in concrete nodes."""
        start = time.perf_counter()
        infinite = self.best.ratio is None
        lower = self.lower
        claimed = self._upper()
        upper = lower if self.complete else claimed
        prefix: list[int] = []
        cycle: list[int] = []
        if self.best.cycle:
            prefix, cycle = concrete_cycle(self.found, self.player, self.turner, self.best.cycle)
        else:
            prefix, cycle = idle_cycle(self.player, self.turner)
        return ExactRatio(
            instance=self.instance,
            policy=self.policy.name,
            infinite=infinite,
            lower=lower,
            upper=None if infinite else upper,
            prefix=prefix,
            cycle=cycle,
            states=self.states,
            states_reduced=len(self.found),
            transitions=self.found.transitions,
            seconds=self.seconds + time.perf_counter() - start,
        )


@dataclass(frozen=True)
class ExactRatio:
    """What is known of a competitive ratio.

    Attributes:
        instance: tree, capacity and requestable nodes.
        policy: its name.
        infinite: the ratio is infinite; `lower` and `upper` are then None.
        lower: attained by `prefix` and `cycle`.
        upper: proved by potentials; where the graph did not close, by convexity or by a theorem about the
            policy; None if nothing is proved.
        prefix: requests from the empty cache to the cycle; None, as `cycle`, where a theorem says more.
        cycle: requests that, repeated for ever, force the lower bound; where that is 1, they cost nothing.
        states: pairs of policy state and work function on the concrete tree; None where the budget cut them.
        states_reduced: the same up to symmetry and merged by behaviour.
        transitions: edges between those.
        seconds: time it took.
    """

    instance: Instance
    policy: str
    infinite: bool
    lower: Fraction | None
    upper: Fraction | None
    prefix: list[int] | None
    cycle: list[int] | None
    states: int | None
    states_reduced: int
    transitions: int
    seconds: float

    @property
    def ratio(self) -> Fraction | None:
        """The ratio where it is known and finite."""
        return self.lower if self.lower == self.upper else None

    @property
    def settled(self) -> bool:
        """Whether the ratio is known."""
        return self.infinite or self.ratio is not None

    def to_json(self) -> dict[str, Any]:
        """The command line's contract: rationals as "p/q", "inf", null where unknown."""
        inf = "inf" if self.infinite else None
        return {
            "tree": list(self.instance.parents[1:]),
            "capacity": self.instance.capacity,
            "policy": self.policy,
            "requestable": list(self.instance.requestable),
            "dropped": list(self.instance.dropped),
            "ratio": inf or fraction(self.ratio),
            "lower": inf or fraction(self.lower),
            "upper": inf or fraction(self.upper),
            "prefix": self.prefix,
            "cycle": self.cycle,
            "states": self.states,
            "states_reduced": self.states_reduced,
            "transitions": self.transitions,
            "seconds": self.seconds,
        }


def fraction(value: Fraction | None) -> str | None:
    """A rational as "p/q"; None stays."""
    return None if value is None else f"{value.numerator}/{value.denominator}"


def play(
    instance: Instance,
    policy: type[Policy],
    *,
    budget: int | None = None,
    symmetric: bool = True,
    merge: bool = True,
    convexity: bool = True,
) -> Game:
    """Solve the game of a policy against OPT.

    Args:
        instance: tree, capacity and requestable nodes.
        policy: any policy whose columns are ORDER or of finite range.
        budget: most states of the policy, and of the product, to explore; default 1,000,000, or 20,000
            distributions of a policy that draws.
        symmetric: identify symmetric subtrees.
        merge: merge states of a deterministic policy that no sequence of requests tells apart.
        convexity: for a policy that draws, stop where a bound by convexity meets the best cycle.

    Raises:
        InputError: if a column has neither ORDER nor a finite range.
        LimitError: if OPT alone has too many work functions.
        PolicyError: if the policy breaks a promise.
    """
    start = time.perf_counter()
    turner = Turner(work_functions(instance))
    if policy.randomised():
        game = _play_drawn(instance, policy, turner, budget, symmetric, STAGES if convexity else ())
    else:
        automaton = policy_automaton(instance, policy, budget=budget or STATES, symmetric=symmetric)
        player = minimised(automaton) if merge else automaton
        found = product(automaton, turner, budget or STATES)
        states = concrete_states(found, automaton, turner) if (found.target >= 0).all() else None
        if player is not automaton:
            found = product(player, turner, budget or STATES)
        game = _solve(instance, policy, player, turner, found, states, budget)
    return replace(game, seconds=time.perf_counter() - start)


def _play_drawn(
    instance: Instance,
    policy: type[Policy],
    turner: Turner,
    budget: int | None,
    symmetric: bool,
    stages: tuple[int, ...],
) -> Game:
    """In stages: where more and more distributions are reachable, a few may give matching bounds."""
    most = budget or BELIEFS
    for stage in (*(size for size in stages if size < most), most):
        player = belief_graph(instance, policy, budget=stage, symmetric=symmetric)
        found = product(player, turner, STATES)
        game = _solve(instance, policy, player, turner, found, concrete_states(found, player, turner), budget)
        if game.complete or game.lower is None or not stages:
            return game
        concrete = player.beliefs.without_symmetry()
        for anchors in ANCHORS:
            bound = upper_bound(concrete, turner.work, anchors, game.lower)
            if bound and (game.bound is None or bound.ratio < game.bound.ratio):
                game = replace(game, bound=bound)
            if game.bound and game.bound.ratio == game.lower:
                return game
    return game


def _solve(
    instance: Instance,
    policy: type[Policy],
    player: Player,
    turner: Turner,
    found: Product,
    states: int | None,
    budget: int | None,
) -> Game:
    alg = player.cost[found.player]
    opt = turner.work.increase[found.work].astype(np.int64)
    best = maximum_cycle_ratio(found.target, alg, opt, Fraction(player.scale))
    return Game(instance, policy, player, turner, found, alg, opt, best, states, 0.0, budget)


def exact_ratio(instance: Instance, policy: type[Policy], *, budget: int | None = None) -> ExactRatio:
    """The competitive ratio of a policy over all request sequences; arguments and errors as :func:`play`."""
    return play(instance, policy, budget=budget).result()


def proved_bound(instance: Instance, policy: type[Policy]) -> Fraction | None:
    """The least upper bound that a theorem gives for the policy on this tree and capacity, if any."""
    proved = [claim for claim in policy.claims if claim.status is Status.PROVED]
    widths = width(instance.tree, instance.capacity)
    return min((Fraction(claim.value(widths)) for claim in proved), default=None)
