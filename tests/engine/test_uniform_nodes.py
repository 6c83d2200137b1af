"""Uniform over nodes against uniform over leaves, exactly: a few plain lines, on every small tree."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from kvtheory.engine.object_reference import ObjectReference
from kvtheory.engine.reference import ReferenceEngine
from kvtheory.model import PrefixTree
from kvtheory.policies.rlt import RLT
from kvtheory.policies.uniform_nodes import UniformNodes
from kvtheory.ratio import belief as beliefs
from kvtheory.ratio.cycle import maximum_cycle_ratio
from kvtheory.ratio.game import exact_ratio
from kvtheory.ratio.instance import Instance as Game
from kvtheory.ratio.product import Turner, product
from kvtheory.ratio.symmetry import Symmetry
from kvtheory.ratio.work_function import work_functions
from kvtheory.testing.chances import expected_misses
from kvtheory.testing.instances import all_trees, random_instance, star


class PlainNodes:
    """Exact transitions: a state says of each node 0..n whether it is cached, and whether it is marked."""

    def __init__(self, parents, capacity):
        self.parents, self.capacity = (-1, *parents), capacity
        self.start = ((0, 0),) * len(self.parents)

    def path(self, v):
        return () if v <= 0 else (*self.path(self.parents[v]), v)

    def serve(self, state, v):
        path = self.path(v)
        marked = {u for u, (_, mark) in enumerate(state) if mark}
        if len(marked | {*path}) > self.capacity:
            marked = set()
        marked |= {*path}
        cached = {u for u, (here, _) in enumerate(state) if here}
        level = {frozenset(cached | {*path}): Fraction(1)}
        while len(next(iter(level))) > self.capacity:
            after = {}
            for held, chance in level.items():
                free = held - marked
                for drawn in free:
                    below = [u for u in free if drawn in self.path(u)]
                    tips = [u for u in below if all(self.parents[w] != u for w in held)]
                    for u in tips:
                        share = chance / len(free) / len(tips)
                        after[held - {u}] = after.get(held - {u}, Fraction(0)) + share
            level = after
        states = {
            tuple((int(u in held), int(u in marked)) for u in range(len(state))): chance
            for held, chance in level.items()
        }
        return len({*path} - cached), sorted(states.items())


def ratio(parents, capacity):
    """Over all sequences, and whether every distribution was reached."""
    game = Game.of(PrefixTree.from_parents(parents), capacity)
    player = beliefs._explore(game, Symmetry(game), PlainNodes(parents, capacity), 1500)
    turner = Turner(work_functions(game))
    found = product(player, turner, 200_000)
    opt = turner.work.increase[found.work].astype(np.int64)
    best = maximum_cycle_ratio(found.target, player.cost[found.player], opt, Fraction(player.scale))
    return max(Fraction(1), best.ratio / player.scale), bool((found.target >= 0).all())


def test_the_policy_draws_as_its_plain_lines_do():
    for seed in range(60):
        instance = random_instance(seed, max_nodes=7, max_requests=9)
        plain = PlainNodes(instance.parents, instance.capacity)
        belief, expected = {plain.start: Fraction(1)}, Fraction(0)
        for v in instance.requests:
            after = {}
            for state, chance in belief.items():
                misses, reached = plain.serve(state, v)
                expected += chance * misses
                for to, share in reached:
                    after[to] = after.get(to, Fraction(0)) + chance * share
            belief = after
        engine = ObjectReference(instance.tree, instance.capacity, UniformNodes)
        assert expected_misses(engine, instance.requests, limit=4000) == expected, instance


@pytest.mark.parametrize(("leaves", "capacity"), [(3, 2), (4, 2), (4, 3), (5, 4)])
def test_on_stars_it_is_rlt(leaves, capacity):
    found, complete = ratio(star(leaves), capacity)
    assert complete
    assert found == exact_ratio(Game.of(PrefixTree.from_parents(star(leaves)), capacity), RLT).ratio


LONGER = {((0, 0, 0, 1), 3): Fraction(5, 3), ((0, 0, 0, 1, 4), 4): Fraction(7, 4)}
"""Where it is worse than RLT: all there is up to four nodes, and the largest gap on five."""


def test_exact_ratios_on_every_small_tree():
    """RLT's ratio, or more where a chain is longer than the others; and never more than k."""
    cases = [(parents, k) for n in (3, 4) for parents in all_trees(n) for k in range(2, n)]
    for parents, capacity in (*cases, ((0, 0, 0, 1, 4), 4)):
        found, complete = ratio(parents, capacity)
        rlt = exact_ratio(Game.of(PrefixTree.from_parents(parents), capacity), RLT).ratio
        assert complete
        assert found == LONGER.get((parents, capacity), rlt) <= capacity
        assert (found > rlt) == ((parents, capacity) in LONGER)


def test_length_draws_the_wrong_chain():
    """Chains of 1, 2 and 4 nodes and a clean one: RLT pays H_3, and the longest has 4/7 of the nodes."""
    parents, tips = (0, 0, 2, 0, 4, 5, 6, 0), (1, 3, 7)
    requests = (*tips, 8, 7, 3)
    paid = {}
    for policy, engine in ((UniformNodes, ObjectReference), (RLT, ReferenceEngine)):
        cache = engine(PrefixTree.from_parents(parents), 7, policy)
        paid[policy] = expected_misses(cache, requests) - 7
    assert paid[RLT] == Fraction(11, 6)
    hole, moved = Fraction(4, 7), Fraction(4, 7) * Fraction(2, 3)
    assert paid[UniformNodes] == 1 + hole + (Fraction(2, 7) + moved) > 2
