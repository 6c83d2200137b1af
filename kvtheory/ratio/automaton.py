"""A deterministic policy as a finite automaton, up to the symmetries of the tree.

States are those of :mod:`kvtheory.engine.exact`. Symmetric subtrees are identified: after a request the state
is replaced by the representative of its orbit, and the permutation that leads there is kept with the
transition, because the rest of the game (OPT's work function) has to be turned by it too.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from kvtheory.engine.exact import AgeNeeded, ExactEngine, PolicyState
from kvtheory.errors import InputError
from kvtheory.model import IntArray
from kvtheory.policy import Policy
from kvtheory.ratio.instance import Instance
from kvtheory.ratio.symmetry import Permutation, Symmetry

UNEXPLORED = -1


@dataclass(frozen=True, eq=False)
class Automaton:
    """A policy's states in the order of discovery; 0 is the empty cache.

    Attributes:
        instance: the game.
        policy: the policy's name.
        next: int32, shape (P, R): the state after request r, -1 where the budget ended.
        cost: int32, shape (P, R): misses.
        turn: int32, shape (P, R): which of `turns` was applied after the request.
        turns: permutations of the nodes; the first is the identity.
        symmetry: int32, shape (P,): which of `stabilisers` keeps the state.
        stabilisers: generators of groups of permutations; the first is the trivial group.
        orbit: how many states of the concrete tree each state stands for.
        states: the representatives themselves.
        symmetries: the group.
        engine: what made them.
    """

    instance: Instance
    policy: str
    next: IntArray
    cost: IntArray
    turn: IntArray
    turns: tuple[Permutation, ...]
    symmetry: IntArray
    stabilisers: tuple[tuple[Permutation, ...], ...]
    orbit: tuple[int, ...]
    states: tuple[PolicyState, ...]
    symmetries: Symmetry
    engine: ExactEngine = field(repr=False)

    def __len__(self) -> int:
        return len(self.next)

    @property
    def closed(self) -> bool:
        """Whether every state was explored."""
        return bool((self.next != UNEXPLORED).all())


def policy_automaton(
    instance: Instance, policy: type[Policy], *, budget: int = 1_000_000, symmetric: bool = True
) -> Automaton:
    """Explore a deterministic policy from the empty cache, breadth first, requests ascending.

    Args:
        instance: the game.
        policy: a policy that ranks.
        budget: most states to keep.
        symmetric: identify symmetric subtrees.

    Raises:
        InputError: if the policy draws, or a column has neither ORDER nor a finite range.
        PolicyError: if the policy breaks a promise.
    """
    if policy.randomised():
        raise InputError(f"{policy.name} draws: it is not a deterministic automaton", field="policy")
    group = Symmetry(instance, enabled=symmetric)
    try:
        return _explore(instance, group, ExactEngine(instance.tree, instance.capacity, policy), budget)
    except AgeNeeded:
        aged = ExactEngine(instance.tree, instance.capacity, policy, aged=True)
        return _explore(instance, group, aged, budget)


def _explore(instance: Instance, group: Symmetry, engine: ExactEngine, budget: int) -> Automaton:
    number = {engine.start: 0}
    states = [engine.start]
    turns = {group.identity: 0}
    nexts: list[list[int]] = []
    costs: list[list[int]] = []
    turned: list[list[int]] = []
    requests = len(instance.requestable)
    for state in states:
        row, paid, by = [UNEXPLORED] * requests, [0] * requests, [0] * requests
        for r, v in enumerate(instance.requestable):
            paid[r], ((reached, _),) = engine.serve(state, v)
            reached, image = group.canonical(reached)
            to = number.get(reached)
            if to is None:
                if len(states) >= budget:
                    continue
                to = number[reached] = len(states)
                states.append(reached)
            row[r], by[r] = to, turns.setdefault(image, len(turns))
        nexts.append(row)
        costs.append(paid)
        turned.append(by)
    kept = [group.stabiliser(state) for state in states]
    stabilisers: dict[tuple[Permutation, ...], int] = {(): 0}
    symmetry = [stabilisers.setdefault(generators, len(stabilisers)) for _, generators in kept]
    return Automaton(
        instance=instance,
        policy=engine.policy.name,
        next=np.array(nexts, dtype=np.int32),
        cost=np.array(costs, dtype=np.int32),
        turn=np.array(turned, dtype=np.int32),
        turns=tuple(turns),
        symmetry=np.array(symmetry, dtype=np.int32),
        stabilisers=tuple(stabilisers),
        orbit=tuple(group.order // order for order, _ in kept),
        states=tuple(states),
        symmetries=group,
        engine=engine,
    )


def minimised(automaton: Automaton) -> tuple[Automaton, IntArray]:
    """Merge states that cost the same under every sequence of requests, by partition refinement (Moore).

    Returns:
        The smaller automaton, its states in the order of their first members, and the class of each state,
        int32, shape (P,).
    """
    signature = np.concatenate([automaton.cost, automaton.turn], axis=1)
    label = _classes(signature)
    while True:
        below = np.where(automaton.next == UNEXPLORED, UNEXPLORED, label[automaton.next])
        finer = _classes(np.concatenate([label[:, None], below], axis=1))
        if finer.max() == label.max():
            break
        label = finer
    first = np.unique(label, return_index=True)[1]
    smaller = replace(
        automaton,
        next=below[first].astype(np.int32),
        cost=automaton.cost[first],
        turn=automaton.turn[first],
        symmetry=automaton.symmetry[first],
        orbit=tuple(automaton.orbit[i] for i in first),
        states=tuple(automaton.states[i] for i in first),
    )
    return smaller, label


def _classes(rows: IntArray) -> IntArray:
    """Equal rows get equal numbers, in the order of first appearance."""
    _, first, label = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int32)
    rank[np.argsort(first)] = np.arange(len(first), dtype=np.int32)
    return rank[label.reshape(-1)]
