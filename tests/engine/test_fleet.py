"""A fleet of caches serves each worker's requests as the reference engine does, and knows who holds what."""

from __future__ import annotations

import numpy as np
import pytest

from kvtheory.engine.fleet import Caches, PrefixIndex
from kvtheory.engine.recency_fleet import RecencyCaches
from kvtheory.engine.reference import ReferenceEngine
from kvtheory.errors import InputError
from kvtheory.model import PrefixTree, Trace
from kvtheory.policies.lru import LeafLRU
from kvtheory.policies.rlt import RLT
from kvtheory.policy import Policy
from kvtheory.registry import policies
from kvtheory.rng import SplitMix64


def drawn(seed: int, nodes: int, requests: int, capacity: int) -> Trace:
    dice = SplitMix64(seed)
    parents = [dice.below(v) if dice.below(4) else max(0, v - 1) for v in range(1, nodes + 1)]
    return Trace.from_parents(parents, [1 + dice.below(nodes) for _ in range(requests)]).cut(capacity)[0]


def seed_of(worker: int, seed: int) -> int:
    stream = SplitMix64(seed)
    outputs = [seed, *(stream.next() for _ in range(worker))]
    return outputs[-1]


@pytest.mark.parametrize("policy", policies().values(), ids=policies())
@pytest.mark.parametrize(("nodes", "workers", "capacity"), [(40, 3, 9), (12, 2, 3), (6, 1, 1), (90, 70, 14)])
def test_each_worker_is_the_reference_engine(
    policy: type[Policy], nodes: int, workers: int, capacity: int
) -> None:
    trace = drawn(nodes, nodes, 700, capacity)
    dice = SplitMix64(nodes)
    fleet = Caches(trace.tree, workers, capacity, policy, seed=11)
    alone = [
        ReferenceEngine(trace.tree, capacity, policy, seed_of(w, 11), check_traits=False)
        for w in range(workers)
    ]
    for v in trace.requests.tolist():
        w = dice.below(workers)
        hit, _ = alone[w].serve(v)
        assert fleet.serve(w, v) == hit
    for w in range(workers):
        assert fleet.held(w) == alone[w].cached - {0}


@pytest.mark.parametrize("workers", [1, 5, 64, 65, 130])
def test_match_is_the_longest_cached_prefix_at_every_worker(workers: int) -> None:
    trace = drawn(5, 60, 400, 8)
    dice = SplitMix64(workers)
    fleet = Caches(trace.tree, workers, 8, RLT, seed=3)
    for v in trace.requests.tolist():
        expected = []
        for w in range(workers):
            held = fleet.held(w)
            expected.append(max((u for u in trace.tree.path(v) if u in held), default=0))
        assert fleet.match(v).tolist() == expected
        fleet.serve(dice.below(workers), v)


@pytest.mark.parametrize(
    ("nodes", "workers", "capacity"), [(40, 3, 9), (12, 2, 3), (6, 1, 1), (90, 70, 14), (400, 130, 30)]
)
def test_leaf_lru_on_runs_is_the_reference_engine(nodes: int, workers: int, capacity: int) -> None:
    trace = drawn(nodes, nodes, 1500, capacity)
    few = np.unique(trace.requests)[:: max(1, nodes // 12)]  # few requested nodes: long runs
    trace = Trace(trace.tree, few[trace.requests % few.size])
    dice = SplitMix64(nodes)
    fleet = RecencyCaches(trace, workers, capacity)
    alone = [ReferenceEngine(trace.tree, capacity, LeafLRU) for _ in range(workers)]
    for t, v in enumerate(trace.requests.tolist()):
        w = dice.below(workers)
        expected = [max((u for u in trace.tree.path(v) if u in one.cached), default=0) for one in alone]
        assert fleet.match(v).tolist() == expected
        assert fleet.serve(w, v) == alone[w].serve(v)[0]
        if t == 700:
            fleet.clear(workers - 1)
            alone[-1] = ReferenceEngine(trace.tree, capacity, LeafLRU)
    for w in range(workers):
        assert fleet.held(w) == alone[w].cached - {0}


def test_an_index_never_forgets_until_it_is_told() -> None:
    tree = PrefixTree.from_parents([0, 1, 1])
    index = PrefixIndex(tree, 70)
    assert index.serve(69, 2) == 0
    assert index.serve(69, 3) == 1
    assert index.serve(0, 1) == 0
    found = index.match(3)
    assert (found[69], found[0], int(found.sum())) == (3, 1, 4)
    index.clear(69)
    assert index.match(3).tolist() == [1, *[0] * 69]


@pytest.mark.parametrize("policy", [LeafLRU, RLT])
def test_a_worker_that_returns_empty_starts_as_a_new_one(policy: type[Policy]) -> None:
    trace = drawn(9, 50, 300, 10)
    fleet = Caches(trace.tree, 2, 10, policy)
    for t, v in enumerate(trace.requests.tolist()):
        fleet.serve(t % 2, v)
    others = fleet.held(1)
    fleet.clear(0)
    assert fleet.held(0) == set()
    assert fleet.held(1) == others
    if policy is LeafLRU:
        fresh = ReferenceEngine(trace.tree, 10, policy, 0)
        for v in trace.requests.tolist():
            assert fleet.serve(0, v) == fresh.serve(v)[0]
    assert np.array_equal(sorted(fleet.held(1)), sorted(others))


def test_refusals() -> None:
    with pytest.raises(InputError, match="there must be a worker"):
        Caches(PrefixTree.from_parents([0]), 0, 1, LeafLRU)
