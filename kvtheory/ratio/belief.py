"""A randomised policy against an oblivious adversary: its distribution over states is its state.

A distribution is a tuple of (policy state, integer weight), sorted, the weights without common divisor. Where
finitely many distributions are reachable the competitive ratio is exact, as for a deterministic policy; where
they are not, what was explored still gives a lower bound.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from math import gcd, lcm
from typing import Any

import numpy as np

from kvtheory.engine.exact import AgeNeeded, ExactEngine, PolicyState
from kvtheory.model import IntArray
from kvtheory.policy import Policy
from kvtheory.ratio.automaton import SYMMETRY_PROBES, UNEXPLORED, require_symmetric
from kvtheory.ratio.instance import Instance
from kvtheory.ratio.symmetry import Permutation, Symmetry, compose, moved

Distribution = tuple[tuple[int, int], ...]
LARGEST_GROUP = 5040


class Beliefs:
    """Distributions over a policy's states: how requests move them, and their representatives.

    Args:
        instance: the game.
        engine: the policy's exact transitions.
        group: which subtrees are symmetric.
    """

    def __init__(self, instance: Instance, engine: ExactEngine, group: Symmetry) -> None:
        self.instance, self.engine, self.group = instance, engine, group
        self.states: list[PolicyState] = []
        self._number: dict[PolicyState, int] = {}
        self._served: dict[tuple[int, int], tuple[int, int, list[tuple[int, int]]]] = {}
        self._probes = SYMMETRY_PROBES
        self._moved: dict[tuple[int, Permutation], int] = {}
        self.start: Distribution = ((self._register(engine.start), 1),)

    def without_symmetry(self) -> Beliefs:
        """The same distributions, each its own representative."""
        return Beliefs(self.instance, self.engine, Symmetry(self.instance, enabled=False))

    def serve(self, belief: Distribution, v: int) -> tuple[Fraction, Distribution]:
        """Expected misses of a request for node `v`, and the distribution after it."""
        served = [self._serve(state, v) for state, _ in belief]
        common = lcm(*(whole for _, whole, _ in served))
        total = misses = 0
        after: dict[int, int] = {}
        for (_, weight), (missed, whole, reached) in zip(belief, served, strict=True):
            total += weight
            misses += weight * missed
            share = weight * (common // whole)
            for state, part in reached:
                after[state] = after.get(state, 0) + share * part
        divisor = gcd(*after.values())
        return Fraction(misses, total), tuple(sorted((s, w // divisor) for s, w in after.items()))

    def canonical(self, belief: Distribution) -> tuple[Distribution, Permutation]:
        """A representative of a distribution's orbit, and a permutation that leads to it.

        Nodes are first ordered by the distribution of their own label; the permutations that this leaves open
        are tried, unless they are more than 5040.
        """
        group = self.group
        if group.trivial:
            return belief, group.identity
        labels, image = group.canonical(self._labels(belief))
        belief = self.move(belief, image)
        order, generators = group.stabiliser(labels)
        if order <= LARGEST_GROUP and any(self.move(belief, g) != belief for g in generators):
            best = min(elements(group.identity, generators), key=lambda g: self.move(belief, g))
            return self.move(belief, best), compose(best, image)
        return belief, image

    def stabiliser(self, belief: Distribution) -> tuple[int, tuple[Permutation, ...]]:
        """Order and generators of a group that keeps a distribution: all of it up to order 5040."""
        if self.group.trivial:
            return 1, ()
        order, generators = self.group.stabiliser(self._labels(belief))
        if all(self.move(belief, g) == belief for g in generators):
            return order, generators
        if order > LARGEST_GROUP:
            return 1, ()
        kept = [g for g in elements(self.group.identity, generators) if self.move(belief, g) == belief]
        return len(kept), tuple(sorted(g for g in kept if g != self.group.identity))

    def move(self, belief: Distribution, image: Permutation) -> Distribution:
        """A distribution with the tree's nodes permuted."""
        return tuple(sorted((self._move(state, image), weight) for state, weight in belief))

    def _labels(self, belief: Distribution) -> list[Any]:
        """For each node the distribution of its label."""
        labels: list[Any] = []
        for v in range(self.instance.tree.n + 1):
            chance: dict[Any, int] = {}
            for state, weight in belief:
                label = self.states[state][v]
                chance[label] = chance.get(label, 0) + weight
            labels.append(tuple(sorted(chance.items())))
        return labels

    def _register(self, state: PolicyState) -> int:
        number = self._number.setdefault(state, len(self.states))
        if number == len(self.states):
            self.states.append(state)
        return number

    def _serve(self, state: int, v: int) -> tuple[int, int, list[tuple[int, int]]]:
        """Misses; the common denominator of the chances; (state, numerator) of every outcome."""
        if (state, v) not in self._served:
            misses, outcomes = self.engine.serve(self.states[state], v)
            whole = lcm(*(chance.denominator for _, chance in outcomes))
            reached = [(self._register(to), int(chance * whole)) for to, chance in outcomes]
            self._served[state, v] = misses, whole, reached
        return self._served[state, v]

    def _move(self, state: int, image: Permutation) -> int:
        if (state, image) not in self._moved:
            if image != self.group.identity and self._probes:
                self._probes -= 1
                require_symmetric(self.engine, self.states[state], image, self.instance.requestable)
            self._moved[state, image] = self._register(moved(self.states[state], image))
        return self._moved[state, image]


def elements(identity: Permutation, generators: tuple[Permutation, ...]) -> Iterator[Permutation]:
    """Every element of the group that the permutations generate, the identity first."""
    known, fresh = {identity}, [identity]
    for element in fresh:  # grows while it is walked
        yield element
        for generator in generators:
            product = compose(generator, element)
            if product not in known:
                known.add(product)
                fresh.append(product)


@dataclass(frozen=True, eq=False)
class BeliefGraph:
    """Reachable distributions in the order of discovery; fields as in :class:`Automaton`.

    Attributes:
        cost: expected misses in units of 1/scale; int64, or Python integers where those are too large.
        scale: common denominator of all expected misses.
        beliefs: how distributions move.
    """

    next: IntArray
    cost: Any
    scale: int
    turn: IntArray
    turns: tuple[Permutation, ...]
    symmetry: IntArray
    stabilisers: tuple[tuple[Permutation, ...], ...]
    orbit: tuple[int, ...]
    number: dict[Distribution, int] = field(repr=False)
    beliefs: Beliefs = field(repr=False)

    def __len__(self) -> int:
        return len(self.next)

    @property
    def complete(self) -> bool:
        """Whether every reachable distribution was explored."""
        return bool((self.next != UNEXPLORED).all())

    @property
    def start(self) -> Distribution:
        """Certainly the empty cache."""
        return self.beliefs.start

    def serve(self, belief: Distribution, v: int) -> Distribution:
        """The distribution on the concrete tree after a request for node `v`."""
        return self.beliefs.serve(belief, v)[1]

    def locate(self, belief: Distribution) -> tuple[int, Permutation]:
        """The number of a distribution on the concrete tree (-1: unexplored), and the permutation to it."""
        representative, image = self.beliefs.canonical(belief)
        return self.number.get(representative, UNEXPLORED), image


def belief_graph(
    instance: Instance, policy: type[Policy], *, budget: int = 20_000, symmetric: bool = True
) -> BeliefGraph:
    """Explore the distributions of a policy from the empty cache, breadth first, requests ascending.

    Args:
        instance: the game.
        policy: any policy, of use for one that draws.
        budget: most distributions to keep.
        symmetric: identify symmetric subtrees.

    Raises:
        InputError: if a column has neither ORDER nor a finite range.
        PolicyError: if the policy breaks a promise.
    """
    group = Symmetry(instance, enabled=symmetric)
    try:
        return _explore(instance, group, ExactEngine(instance.tree, instance.capacity, policy), budget)
    except AgeNeeded:
        aged = ExactEngine(instance.tree, instance.capacity, policy, aged=True)
        return _explore(instance, group, aged, budget)


def _explore(instance: Instance, group: Symmetry, engine: ExactEngine, budget: int) -> BeliefGraph:
    beliefs = Beliefs(instance, engine, group)
    found, number = [beliefs.start], {beliefs.start: 0}
    turns = {group.identity: 0}
    nexts: list[list[int]] = []
    costs: list[list[Fraction]] = []
    turned: list[list[int]] = []
    requests = len(instance.requestable)
    for belief in found:  # grows while it is walked
        row, paid, by = [UNEXPLORED] * requests, [Fraction(0)] * requests, [0] * requests
        for r, v in enumerate(instance.requestable):
            paid[r], reached = beliefs.serve(belief, v)
            reached, image = beliefs.canonical(reached)
            to = number.get(reached)
            if to is None:
                if len(found) >= budget:
                    continue
                to = number[reached] = len(found)
                found.append(reached)
            row[r], by[r] = to, turns.setdefault(image, len(turns))
        nexts.append(row)
        costs.append(paid)
        turned.append(by)
    kept = [beliefs.stabiliser(belief) for belief in found]
    stabilisers: dict[tuple[Permutation, ...], int] = {(): 0}
    symmetry = [stabilisers.setdefault(generators, len(stabilisers)) for _, generators in kept]
    scale = lcm(*(cost.denominator for row in costs for cost in row))
    whole = [[int(cost * scale) for cost in row] for row in costs]
    small = max(max(row) for row in whole) < 1 << 62
    return BeliefGraph(
        next=np.array(nexts, dtype=np.int32),
        cost=np.array(whole, dtype=np.int64 if small else object),
        scale=scale,
        turn=np.array(turned, dtype=np.int32),
        turns=tuple(turns),
        symmetry=np.array(symmetry, dtype=np.int32),
        stabilisers=tuple(stabilisers),
        orbit=tuple(group.order // order for order, _ in kept),
        number=number,
        beliefs=beliefs,
    )
