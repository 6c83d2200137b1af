"""A deterministic policy as a finite automaton, up to the symmetries of the tree.

States are those of :mod:`kvtheory.engine.exact`. Symmetric subtrees are identified: after a request the state
is replaced by the representative of its orbit, and the permutation that leads there is kept with the
transition, because the rest of the game (OPT's work function) has to be turned by it too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from kvtheory.engine.exact import AgeNeeded, ExactEngine, PolicyState
from kvtheory.engine.steps import CompiledSteps, labels_of
from kvtheory.errors import InputError, PolicyError
from kvtheory.model import IntArray, LongArray
from kvtheory.policy import Policy
from kvtheory.ratio.instance import Instance
from kvtheory.ratio.symmetry import Permutation, Symmetry, moved

UNEXPLORED = -1
SYMMETRY_PROBES = 100
INTERPRETED, BATCH = 500, 2048


@dataclass(frozen=True, eq=False)
class Automaton:
    """A policy's states in the order of discovery; 0 is the empty cache.

    Attributes:
        instance: the game.
        policy: the policy's name.
        next: int32, shape (P, R): the state after request r, -1 where the budget ended.
        cost: int64, shape (P, R): misses.
        turn: int32, shape (P, R): which of `turns` was applied after the request.
        turns: permutations of the nodes; the first is the identity.
        symmetry: int32, shape (P,): which of `stabilisers` keeps the state.
        stabilisers: generators of groups of permutations; the first is the trivial group.
        orbit: how many states of the concrete tree each state stands for.
        number: the number of every representative.
        symmetries: the group.
        engine: what made them.
        scale: costs are counted in units of 1/scale: 1.
    """

    instance: Instance
    policy: str
    next: IntArray
    cost: LongArray
    turn: IntArray
    turns: tuple[Permutation, ...]
    symmetry: IntArray
    stabilisers: tuple[tuple[Permutation, ...], ...]
    orbit: tuple[int, ...]
    number: dict[PolicyState, int]
    symmetries: Symmetry
    engine: ExactEngine = field(repr=False)
    scale: int = 1

    def __len__(self) -> int:
        return len(self.next)

    @property
    def complete(self) -> bool:
        """Whether every state was explored."""
        return bool((self.next != UNEXPLORED).all())

    @property
    def start(self) -> PolicyState:
        """The empty cache."""
        return self.engine.start

    def serve(self, state: PolicyState, v: int) -> PolicyState:
        """The state of the concrete tree after a request for node `v`."""
        _, ((reached, _),) = self.engine.serve(state, v)
        return reached

    def locate(self, state: PolicyState) -> tuple[int, Permutation]:
        """The number of a concrete state (-1: unexplored), and the permutation to its representative."""
        representative, image = self.symmetries.canonical(state)
        return self.number.get(representative, UNEXPLORED), image


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
    requests, probes = len(instance.requestable), SYMMETRY_PROBES
    found: dict[PolicyState | bytes, tuple[int, int]] = {}
    served = _served(instance, engine, states)
    while len(nexts) < len(states):
        row, by = [UNEXPLORED] * requests, [0] * requests
        paid, after = next(served)
        for r, key in enumerate(after):
            if key not in found:
                concrete = labels_of(key, len(engine.start)) if isinstance(key, bytes) else key
                reached, image = group.canonical(concrete)
                if image != group.identity and probes:
                    probes -= 1
                    require_symmetric(engine, concrete, image, instance.requestable)
                to = number.get(reached)
                if to is None:
                    if len(states) >= budget:
                        continue
                    to = number[reached] = len(states)
                    states.append(reached)
                found[key] = to, turns.setdefault(image, len(turns))
            row[r], by[r] = found[key]
        nexts.append(row)
        costs.append(paid)
        turned.append(by)
    kept = [group.stabiliser(state) for state in states]
    for state, (_, generators) in zip(states[:SYMMETRY_PROBES], kept, strict=False):
        for generator in generators:
            require_symmetric(engine, state, generator, instance.requestable)
    stabilisers: dict[tuple[Permutation, ...], int] = {(): 0}
    symmetry = [stabilisers.setdefault(generators, len(stabilisers)) for _, generators in kept]
    return Automaton(
        instance=instance,
        policy=engine.policy.name,
        next=np.array(nexts, dtype=np.int32),
        cost=np.array(costs, dtype=np.int64),
        turn=np.array(turned, dtype=np.int32),
        turns=tuple(turns),
        symmetry=np.array(symmetry, dtype=np.int32),
        stabilisers=tuple(stabilisers),
        orbit=tuple(group.order // order for order, _ in kept),
        number=number,
        symmetries=group,
        engine=engine,
    )


def _served(
    instance: Instance, engine: ExactEngine, states: list[PolicyState]
) -> Iterator[tuple[list[int], list[PolicyState | bytes]]]:
    """Misses and states after every request, for each of `states` in turn; more are added meanwhile.

    Compiled once there are many states (for few, that would take longer than it saves): the states after the
    requests are then the bytes of their labels.
    """
    for state in states:
        if len(states) > INTERPRETED:
            break
        outcomes = [engine.serve(state, v) for v in instance.requestable]
        yield [misses for misses, _ in outcomes], [after for _, ((after, _),) in outcomes]
    else:
        return
    at = states.index(state)
    compiled = CompiledSteps(instance.tree, instance.capacity, engine)
    requests = np.array(instance.requestable, dtype=np.int32)
    while at < len(states):
        batch = states[at : at + BATCH]
        after, cost = compiled.serve(batch, requests)
        rows, size = after.tobytes(), after[0, 0].nbytes
        for i, paid in enumerate(cost.tolist()):
            first = i * len(requests)
            yield paid, [rows[j * size : (j + 1) * size] for j in range(first, first + len(requests))]
        at += len(batch)


def require_symmetric(
    engine: ExactEngine, state: PolicyState, image: Permutation, requestable: tuple[int, ...]
) -> None:
    """Raise PolicyError unless requests commute with a permutation of the nodes."""
    for v in requestable:
        misses, outcomes = engine.serve(state, v)
        expected = misses, sorted((moved(after, image), chance) for after, chance in outcomes)
        if engine.serve(moved(state, image), image[v]) != expected:
            raise PolicyError(f"{engine.policy.name}: treats symmetric nodes differently: does it read ids?")


def minimised(automaton: Automaton) -> Automaton:
    """Merge states that cost the same under every sequence of requests, by partition refinement (Moore).

    The smaller automaton lists its states in the order of their first members.
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
    return replace(
        automaton,
        next=below[first].astype(np.int32),
        cost=automaton.cost[first],
        turn=automaton.turn[first],
        symmetry=automaton.symmetry[first],
        orbit=tuple(automaton.orbit[i] for i in first),
        number={state: int(label[i]) for state, i in automaton.number.items()},
    )


def _classes(rows: Any) -> IntArray:
    """Equal rows get equal numbers, in the order of first appearance."""
    _, first, label = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int32)
    rank[np.argsort(first)] = np.arange(len(first), dtype=np.int32)
    return rank[label.reshape(-1)]
