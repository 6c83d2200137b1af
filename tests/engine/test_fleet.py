"""A fleet of caches serves each worker's requests as the reference engine does, and knows who holds what."""

from __future__ import annotations

import numpy as np
import pytest

from kvtheory.engine.cluster import simulate
from kvtheory.engine.codegen import switches
from kvtheory.engine.fleet import Caches, PrefixIndex
from kvtheory.engine.kernel import replay
from kvtheory.engine.object_fleet import ObjectCaches
from kvtheory.engine.object_reference import ObjectReference
from kvtheory.engine.recency_fleet import RecencyCaches
from kvtheory.engine.reference import ReferenceEngine
from kvtheory.errors import InputError
from kvtheory.facts import Facts
from kvtheory.model import PrefixTree, Trace
from kvtheory.policies.lru import LeafLRU
from kvtheory.policies.rlt import RLT
from kvtheory.policy import Policy
from kvtheory.registry import every_policy, policies, routers
from kvtheory.rng import SplitMix64, worker_seeds
from kvtheory.sources import open_source


def drawn(seed: int, nodes: int, requests: int, capacity: int) -> Trace:
    dice = SplitMix64(seed)
    parents = [dice.below(v) if dice.below(4) else max(0, v - 1) for v in range(1, nodes + 1)]
    return Trace.from_parents(parents, [1 + dice.below(nodes) for _ in range(requests)]).cut(capacity)[0]


def seed_of(worker: int, seed: int) -> int:
    stream = SplitMix64(seed)
    outputs = [seed, *(stream.next() for _ in range(worker))]
    return outputs[-1]


KINDS = {tuple(switches(policy, policy.traits).values()): policy for policy in policies().values()}
"""One policy for each way to write the template: other hooks are tested on the one cache below."""


@pytest.mark.parametrize("policy", KINDS.values(), ids=lambda policy: policy.name)
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


@pytest.mark.parametrize("name", ["arc", "lecar", "session_eta"])
def test_objects_at_every_worker_are_the_reference_engine(name: str) -> None:
    policy = every_policy()[name]
    trace = drawn(5, 40, 900, 9)
    facts = Facts({"session": (trace.requests % 5).tolist(), "timestamp": list(range(len(trace)))})
    fleet = ObjectCaches(trace.tree, 3, 9, policy, seed=4)
    alone = [ObjectReference(trace.tree, 9, policy, seed) for seed in worker_seeds(4, 3)]
    dice = SplitMix64(8)
    for t, v in enumerate(trace.requests.tolist()):
        w = dice.below(3)
        about = {key: facts[t][key] for key in policy.reads if key in facts[t]}
        alone[w].facts, alone[w].time = Facts({key: [value] for key, value in about.items()}), 0
        assert fleet.match(v).tolist() == [
            max((u for u in trace.tree.path(v) if u in one.cached), default=0) for one in alone
        ]
        assert fleet.serve(w, v, about) == alone[w].serve(v)[0]
        if t == 500:
            fleet.clear(1)
            draws = alone[1].mind.rng.state if policy.draws else 0
            alone[1] = ObjectReference(trace.tree, 9, policy, draws)
    for w in range(3):
        assert fleet.held(w) == alone[w].cached - {0}


def test_a_cluster_tells_objects_what_a_request_says() -> None:
    """One worker, so the cluster's hits are the replay's, also where the policy reads columns."""
    trace = open_source("chat:sessions=30,turns=4,system=32,seed=2")
    capacity = int(trace.depths.max()) + 20
    times = np.arange(len(trace), dtype=np.float64)
    for name in ("arc", "session_eta", "workload_aware"):
        policy = every_policy()[name]
        run = simulate(trace, 1, capacity, policy, routers()["round_robin"], arrivals=times)
        alone = replay(trace, capacity, policy)
        assert np.array_equal(run.hit, trace.tree.depth[alone.hit])
        assert alone.evictions, "nothing was evicted: the test tests nothing"
