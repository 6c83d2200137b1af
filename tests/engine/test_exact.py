"""Exact transitions against the reference engine, draw for draw; liars are refused."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtheory.engine.exact import AgeNeeded, ExactEngine
from kvtheory.engine.reference import ReferenceEngine
from kvtheory.errors import InputError, PolicyError
from kvtheory.policies.lfu import LeafLFU
from kvtheory.policy import ORDER, Column, Policy
from kvtheory.ratio.belief import Beliefs
from kvtheory.ratio.instance import Instance
from kvtheory.ratio.symmetry import Symmetry
from kvtheory.registry import policies
from kvtheory.testing.chances import BELIEF_LIMIT, TooManyStates, advance, certain
from kvtheory.testing.instances import random_instance
from kvtheory.testing.mutants.policies import FalseOrder, FalseRange, HeavyBinary, UndeclaredPhases
from kvtheory.testing.probes import AllTied, MarkingFifo, SoftMarking

FINITE = [policies()[name] for name in ("lru", "fifo", "mru", "marking", "rlt", "random", "bucketing")]
AGED = [AllTied]
OTHERS = [MarkingFifo, SoftMarking]


class Twice(Policy):
    """A finite column, read and written: a node's second access protects it."""

    name = "test_twice"
    columns = {"again": Column(0, 1), "last_use": ORDER}

    @staticmethod
    def on_access(s, v, t):
        if s.last_use[v]:
            s.again[v] = 1
        s.last_use[v] = t + 1

    @staticmethod
    def rank(s, v):
        return (s.again[v], s.last_use[v])


@pytest.mark.parametrize("policy", [*FINITE, *AGED, *OTHERS, Twice], ids=lambda policy: policy.name)
@given(seed=st.integers(0, 5000))
def test_expected_misses_and_chances_of_the_reference_engine(policy, seed):
    drawn = random_instance(seed, max_nodes=6, max_requests=12)
    if not drawn.parents:
        return
    engine = ReferenceEngine(drawn.tree, drawn.capacity, policy)
    game = Instance.of(drawn.tree, drawn.capacity)
    exact = ExactEngine(drawn.tree, drawn.capacity, policy, aged=policy in AGED)
    beliefs = Beliefs(game, exact, Symmetry(game, enabled=False))
    belief, mine = certain(engine), beliefs.start
    for v in filter(None, drawn.requests):
        try:
            belief, misses = advance(engine, belief, v, BELIEF_LIMIT)
        except TooManyStates:
            return
        found, mine = beliefs.serve(mine, v)
        assert found == misses
        cached: dict[frozenset[int], Fraction] = {}
        for chance, state in belief.values():
            key = frozenset(state["cached"])
            cached[key] = cached.get(key, Fraction(0)) + chance
        total = sum(weight for _, weight in mine)
        held: dict[frozenset[int], Fraction] = {}
        for number, weight in mine:
            key = frozenset(game.nodes(exact.cached(beliefs.states[number])))
            held[key] = held.get(key, Fraction(0)) + Fraction(weight, total)
        assert held == cached


def test_a_column_without_order_or_range_is_refused():
    with pytest.raises(InputError, match="'count' is not ORDER and declares no finite range"):
        ExactEngine(random_instance(3).tree, 2, LeafLFU)


def explore(policy, aged=False, parents=(0, 0, 0, 1), capacity=3):
    game = Instance.of(random_instance(0).tree.from_parents(parents), capacity)
    engine = ExactEngine(game.tree, capacity, policy, aged=aged)
    states = [engine.start]
    for state in states:
        for v in game.requestable:
            states += [after for after, _ in engine.serve(state, v)[1] if after not in states]
        if len(states) > 2000:
            return


class Clock(Policy):
    """Reads the request index itself."""

    name = "test_clock"
    columns = {"side": Column(0, 1), "last_use": ORDER}

    @staticmethod
    def on_access(s, v, t):
        s.side[v] = t // 2 % 2
        s.last_use[v] = t

    @staticmethod
    def rank(s, v):
        return (s.side[v], s.last_use[v])


class Impossible(Policy):
    """Never names a victim."""

    name = "test_impossible"

    @staticmethod
    def weight(s, v):
        return 0


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (FalseOrder, "than ORDER allows"),
        (FalseRange, "left its declared range"),
        (UndeclaredPhases, "reads 'marked' without declaring it"),
        (Clock, "than ORDER allows"),
        (Impossible, "no candidate of positive weight"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_liars_are_refused(policy, message):
    with pytest.raises(PolicyError, match=message):
        explore(policy, aged=policy is FalseOrder)


def test_a_false_binary_weight_is_refused():
    class Heavy(HeavyBinary):
        columns = {"count": Column(0, 3)}
        name = "test_heavy"

        @staticmethod
        def on_access(s, v, t):
            s.count[v] = min(3, s.count[v] + 1)

    with pytest.raises(PolicyError, match="declares BINARY"):
        explore(Heavy)


def test_ties_ask_for_the_order_of_insertion():
    with pytest.raises(AgeNeeded):
        explore(AllTied)
    explore(AllTied, aged=True)
