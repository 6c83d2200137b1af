"""The adversary against live objects: policies that are in no registry, and caches that are no engine."""

from fractions import Fraction

import numpy as np
import pytest

from adversaries.adaptive import adaptive, ask_for_missing
from adversaries.widest_set import closed_set, widest_leaves
from kvtheory.engine.kernel import replay
from kvtheory.engine.reference import ReferenceEngine
from kvtheory.errors import PolicyError
from kvtheory.model import PrefixTree, Trace
from kvtheory.offline.belady import belady
from kvtheory.policies.random import RandomLeaf
from kvtheory.policies.rlt import RLT
from kvtheory.policy import Column, Policy
from kvtheory.registry import policies
from kvtheory.shapes import parse_tree
from kvtheory.sources import generate
from kvtheory.testing.instances import all_trees
from kvtheory.width import width


class Clock(Policy):
    """Leaf with its use bit off, then any: a policy that no registry knows."""

    name = "test_clock"
    columns = {"used": Column(low=0, high=1)}

    @staticmethod
    def on_access(s, v, t):
        s.used[v] = 1 - s.used[v]

    @staticmethod
    def rank(s, v):
        return s.used[v]


class LargestFirst:
    """No engine at all: a set, from which the largest leaf off the path goes."""

    def __init__(self, tree, capacity):
        self.tree, self.capacity, self.held = tree, capacity, set()

    @property
    def cached(self):
        return self.held

    def serve(self, v):
        path = self.tree.path(v)
        self.held |= set(path)
        while len(self.held) > self.capacity:
            inner = {int(self.tree.parent[u]) for u in self.held}
            self.held.remove(max(self.held - inner - set(path)))


def paid(trace, hit):
    return int((trace.depths - trace.tree.depth[hit]).sum())


@pytest.mark.parametrize("text", ["star:6", "comb:4", "binary:3", "0,1,0,3,0,5", "0,1,1,2,2,0"])
def test_any_live_object_misses_every_request(text):
    tree = parse_tree(text)
    for k in range(tree.height, tree.n):
        leaves = widest_leaves(tree, k)
        W, nodes = len(leaves), k + 1
        for cache in (ReferenceEngine(tree, k, Clock), LargestFirst(tree, k)):
            asked = ask_for_missing(cache, leaves, 120)
            again = type(cache)(*((tree, k, Clock) if isinstance(cache, ReferenceEngine) else (tree, k)))
            missed = 0
            for v in asked:
                path = set(tree.path(v))
                missed += len(path - set(again.cached))
                again.serve(v)
            trace = Trace(tree, np.array(asked, dtype=np.int32))
            opt = paid(trace, belady(trace, k).hit)
            assert missed == nodes + 120 - W
            assert opt <= nodes + (120 - W) // (W - 1)


def test_it_goes_on_from_whatever_state_the_cache_is_in():
    tree = parse_tree("star:4")
    engine = ReferenceEngine(tree, 3, policies()["lru"])
    engine.run([4, 3, 2])
    assert ask_for_missing(engine, [1, 2, 3, 4], 5) == [1, 4, 3, 2, 1]
    assert engine.time == 8


def test_a_cache_that_grows_is_found_out():
    class Greedy:
        cached = range(100)

        def serve(self, v):
            raise AssertionError

    with pytest.raises(PolicyError, match="holds all of 3"):
        ask_for_missing(Greedy(), [1, 2, 3], 5)


def test_every_small_tree_and_policy_is_forced_to_the_width_law():
    """From W requests on ALG is k + 1 + N - W, and the ratio at least W - 1 less what the start costs OPT."""
    for parents in (shape for n in range(2, 6) for shape in all_trees(n)):
        tree = PrefixTree.from_parents(parents)
        for k in range(tree.height, tree.n):
            W = width(tree, k).W
            for name, policy in policies().items():
                if policy.randomised():
                    continue
                written = ",".join(map(str, parents))
                trace = adaptive(policy=name, tree=written, k=k, requests=60)
                alg = paid(trace, ReferenceEngine(tree, k, policy).run(trace.requests)[0])
                opt = paid(trace, belady(trace, k).hit)
                assert alg == k + 1 + 60 - W
                if W > 1:
                    assert Fraction(alg, opt) >= Fraction(k + 1 + 60 - W, k + 1 + (60 - W) // (W - 1))


def test_seeing_the_draws_costs_a_randomised_policy_as_much():
    """A live object may draw: who sees its cache forces W - 1 on RLT too, and dice help only unseen."""
    tree = parse_tree("star:9")
    for policy in (RLT, RandomLeaf):
        asked = ask_for_missing(ReferenceEngine(tree, 8, policy, seed=5), list(range(1, 10)), 900)
        trace = Trace(tree, np.array(asked, dtype=np.int32))
        opt = paid(trace, belady(trace, 8).hit)
        assert paid(trace, replay(trace, 8, policy, 5).hit) == 900
        assert opt <= 9 + 891 // 8
        if policy is RLT:  # other draws, same sequence
            assert paid(trace, replay(trace, 8, policy, 6).hit) < 450


def test_the_workload_names_its_victim():
    trace = generate("adaptive:policy=fifo,tree=comb:4,k=5,requests=50")
    assert trace.source == "adaptive:policy=fifo,tree=comb:4,k=5,requests=50"
    nodes = closed_set(trace.tree, widest_leaves(trace.tree, 5))
    assert set(trace.requests.tolist()) == set(widest_leaves(trace.tree, 5))
    assert len(nodes) == 6
