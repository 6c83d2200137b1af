"""Policies as automata: the reference engine's misses, up to symmetry, before and after merging states."""

from itertools import permutations

import numpy as np
import pytest

from kvtheory.engine.reference import ReferenceEngine
from kvtheory.errors import InputError, PolicyError
from kvtheory.model import PrefixTree
from kvtheory.policy import ORDER, Policy
from kvtheory.ratio import automaton as module
from kvtheory.ratio.automaton import minimised, policy_automaton
from kvtheory.ratio.belief import elements
from kvtheory.ratio.instance import Instance
from kvtheory.ratio.symmetry import Symmetry, compose, moved
from kvtheory.registry import policies
from kvtheory.shapes import parse_tree
from kvtheory.testing.instances import all_trees
from kvtheory.testing.mutants.policies import FalseOrder
from kvtheory.testing.probes import AllTied, MarkingFifo

RANKED = [policies()[name] for name in ("lru", "fifo", "mru", "marking")] + [AllTied, MarkingFifo]


def misses_by_table(automaton, requests):
    """Follow the table; the permutations so far say which request of the representative a node is."""
    p, turn, paid = 0, automaton.symmetries.identity, []
    for v in requests:
        r = automaton.instance.requestable.index(turn[v])
        paid.append(int(automaton.cost[p, r]))
        turn = compose(automaton.turns[automaton.turn[p, r]], turn)
        p = int(automaton.next[p, r])
    return paid


@pytest.mark.parametrize("policy", RANKED, ids=lambda policy: policy.name)
@pytest.mark.parametrize("symmetric", [False, True])
def test_misses_are_the_reference_engines(policy, symmetric):
    rng = np.random.default_rng(5)
    for parents in (*all_trees(4), (0, 1, 0, 3, 0), (0, 0, 1, 1, 2, 2)):
        for capacity in (2, 3):
            game = Instance.of(PrefixTree.from_parents(parents), capacity)
            automaton = policy_automaton(game, policy, symmetric=symmetric)
            smaller = minimised(automaton)
            assert len(smaller) <= len(automaton)
            assert automaton.complete
            for _ in range(4):
                requests = [int(v) for v in rng.choice(game.requestable, 25)]
                engine = ReferenceEngine(game.tree, capacity, policy)
                depth = game.tree.depth
                paid = [int(depth[v]) - int(depth[engine.serve(v)[0]]) for v in requests]
                assert misses_by_table(automaton, requests) == paid
                assert misses_by_table(smaller, requests) == paid


@pytest.mark.parametrize("policy", [policies()["lru"], AllTied, MarkingFifo], ids=lambda policy: policy.name)
@pytest.mark.parametrize("symmetric", [False, True])
def test_compiled_steps_are_the_interpreted_ones(policy, symmetric, monkeypatch):
    for parents in (*all_trees(4)[::2], (0, 1, 0, 3, 0)):
        game = Instance.of(PrefixTree.from_parents(parents), 3)
        interpreted = policy_automaton(game, policy, symmetric=symmetric)
        with monkeypatch.context() as patch:
            patch.setattr(module, "INTERPRETED", 2)
            compiled = policy_automaton(game, policy, symmetric=symmetric)
        assert compiled.number == interpreted.number
        for field in ("next", "cost", "turn"):
            assert (getattr(compiled, field) == getattr(interpreted, field)).all()


def test_compiled_steps_refuse_liars(monkeypatch):
    monkeypatch.setattr(module, "INTERPRETED", 2)
    with pytest.raises(PolicyError, match="than ORDER allows"):
        policy_automaton(Instance.of(parse_tree("star:5"), 4), FalseOrder)


@pytest.mark.parametrize("parents", all_trees(6)[::3])
def test_an_orbit_is_counted_once(parents):
    """The representatives stand for exactly the states that are found without symmetry."""
    game = Instance.of(PrefixTree.from_parents(parents), 4)
    quotient = policy_automaton(game, policies()["lru"])
    whole = policy_automaton(game, policies()["lru"], symmetric=False)
    assert sum(quotient.orbit) == len(whole)
    assert len({quotient.locate(state)[0] for state in whole.number}) == len(quotient)


def test_marking_is_lru_once_states_are_merged():
    game = Instance.of(parse_tree("star:5"), 4)
    marking = policy_automaton(game, policies()["marking"], symmetric=False)
    lru = policy_automaton(game, policies()["lru"], symmetric=False)
    assert (len(marking), len(minimised(marking)), len(lru), len(minimised(lru))) == (566, 206, 206, 206)


def test_symmetries_of_known_trees():
    def order(tree, capacity=9, requestable=None):
        return Symmetry(Instance.of(parse_tree(tree), capacity, requestable)).order

    assert [order("star:4"), order("path:4"), order("binary:3"), order("comb:3")] == [24, 1, 2**7, 1]
    assert order("0,0,0,1,2,3") == 6
    assert order("star:4", requestable=[1, 2]) == 2


def test_canonical_forms_are_the_same_for_the_whole_orbit():
    game = Instance.of(parse_tree("binary:2"), 6)
    group, rng = Symmetry(game), np.random.default_rng(2)
    swap = (0, 2, 1, 6, 5, 3, 4)
    for _ in range(30):
        labels = (0, *(int(x) for x in rng.integers(0, 3, 6)))
        form, image = group.canonical(labels)
        assert moved(labels, image) == form
        assert group.canonical(moved(labels, swap))[0] == form
        size, generators = group.stabiliser(form)
        assert all(moved(form, g) == form for g in generators)
        assert 8 % size == 0


class ByName(Policy):
    """Prefers small node numbers, which the model forbids."""

    name = "test_by_name"
    columns = {"last_use": ORDER}

    @staticmethod
    def rank(s, v):
        return v


def test_a_policy_that_reads_ids_is_refused():
    with pytest.raises(PolicyError, match="treats symmetric nodes differently"):
        policy_automaton(Instance.of(parse_tree("star:4"), 3), ByName)


def test_a_policy_that_draws_is_no_automaton():
    with pytest.raises(InputError, match="draws"):
        policy_automaton(Instance.of(parse_tree("star:4"), 3), policies()["rlt"])


def test_a_budget_leaves_edges_open():
    automaton = policy_automaton(Instance.of(parse_tree("star:5"), 4), policies()["lru"], budget=3)
    assert not automaton.complete
    assert len(automaton) == 3


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_two_permutations_generate_all(size):
    """A swap and a turn make the symmetric group, each element once, the identity first."""
    identity = tuple(range(size))
    swap, turn = (*identity[:2][::-1], *identity[2:]), (*identity[1:], *identity[:1])
    found = list(elements(identity, (swap, turn)))
    assert found[0] == identity
    assert sorted(found) == sorted(permutations(identity))
