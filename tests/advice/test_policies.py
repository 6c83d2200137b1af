"""Policies with advice: with perfect advice they are OPT, and with wrong advice what their pages say."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from profiles import examples

from kvtheory.advice.advised import Advised, advised
from kvtheory.advice.oracle import Advice, Told, truth
from kvtheory.advice.predictor import NEVER
from kvtheory.advice.regret import wrong_evictions
from kvtheory.engine.kernel import replay
from kvtheory.engine.object_reference import ObjectReference
from kvtheory.engine.reference import ReferenceEngine
from kvtheory.hedge import Hedge
from kvtheory.marks import RandomUnmarkedLeaf
from kvtheory.model import Trace
from kvtheory.object_policy import ObjectPolicy
from kvtheory.offline.belady import belady
from kvtheory.policies.arc import ARC
from kvtheory.policies.blind_oracle import BlindOracle
from kvtheory.policies.lru import LeafLRU
from kvtheory.policies.predictive_marker import PredictiveMarker
from kvtheory.policies.rlt import RLT
from kvtheory.policies.robust_advice import RobustAdvice
from kvtheory.registry import every_policy
from kvtheory.rng import SplitMix64
from kvtheory.sources import generate
from kvtheory.testing.chances import expected_misses
from kvtheory.testing.instances import Instance, corpus, random_instance, star
from kvtheory.testing.strategies import instances
from kvtheory.traces import read_trace
from proofs_check.advice import told, wrong_advice, wrong_in_all

MOONCAKE = Path(__file__).parents[3] / "shared" / "traces" / "mooncake_conversation.jsonl"


def misses(trace: Trace, capacity: int, policy: type[ObjectPolicy], seed: int = 0) -> int:
    """Missed nodes of a replay."""
    return trace.accesses - int(trace.tree.depth[replay(trace, capacity, policy, seed).hit].sum())


def least(trace: Trace, capacity: int) -> int:
    """Missed nodes of OPT."""
    return trace.accesses - int(trace.tree.depth[belady(trace, capacity).hit].sum())


def wrongly(count: int, **sizes: int) -> Iterator[tuple[Instance, Advice]]:
    """Random instances, and advice that is wrong."""
    for seed in range(count):
        instance = random_instance(seed, **sizes)
        if any(instance.requests):
            for advice in wrong_advice(instance, seed):
                yield instance, advice


@settings(max_examples=examples(150))
@given(instances())
def test_with_perfect_advice_blind_oracle_and_the_hedge_are_opt(instance: Instance) -> None:
    best, advice = least(instance.trace, instance.capacity), truth(instance.trace)
    for policy in (BlindOracle, RobustAdvice):
        engine = ObjectReference(instance.tree, instance.capacity, told(policy, advice))
        assert instance.misses(engine.run(instance.requests)[0]) == best


@pytest.mark.parametrize("spec", ["gsp:groups=16,prompts=16,block=128,order=random", "chat:sessions=60"])
@pytest.mark.parametrize("share", [0.02, 0.2])
def test_and_on_workloads(spec: str, share: float) -> None:
    whole = generate(spec)
    capacity = max(1, int(share * whole.tree.n))
    trace, _ = whole.cut(capacity)
    best = least(trace, capacity)
    assert misses(trace, capacity, told(BlindOracle, truth(trace))) == best
    assert misses(trace, capacity, told(RobustAdvice, truth(trace))) == best
    assert misses(trace, capacity, told(PredictiveMarker, truth(trace))) <= 3 * best


@pytest.mark.skipif(not MOONCAKE.exists(), reason="the trace is not here")
def test_and_on_a_sample_of_the_real_trace() -> None:
    whole = read_trace(MOONCAKE)
    trace, _ = Trace(whole.tree, whole.requests[:1500]).cut(900)
    assert misses(trace, 900, told(BlindOracle, truth(trace))) == least(trace, 900)


@pytest.mark.parametrize("seed", range(25))
def test_rlt_as_an_object_draws_what_rlt_draws(seed: int) -> None:
    instance = random_instance(seed, max_nodes=14, max_requests=80)
    mine = ObjectReference(instance.tree, instance.capacity, RandomUnmarkedLeaf, seed)
    engine = ReferenceEngine(instance.tree, instance.capacity, RLT, seed)
    assert mine.run(instance.requests) == engine.run(instance.requests)


def test_the_chances_of_an_object_that_draws_are_exact() -> None:
    """RLT's expected misses, from the object: its generator is scripted, and memories are told apart."""
    for instance in corpus(tiny=True):
        mine = ObjectReference(instance.tree, instance.capacity, RandomUnmarkedLeaf, 5)
        engine = ReferenceEngine(instance.tree, instance.capacity, RLT)
        assert expected_misses(mine, instance.requests) == expected_misses(engine, instance.requests)
    engine = ReferenceEngine(Instance(star(3), 2, ()).tree, 2, RLT)
    assert expected_misses(engine, (1, 2, 3, 1, 2)).denominator > 1


class PlainMarker:
    """Predictive marker in plain lists: no heaps, no positions, marks and leaves looked up each time."""

    def __init__(self, instance: Instance, advice: Advice, seed: int) -> None:
        self.instance, self.advice, self.rng = instance, Told(advice), SplitMix64(seed)
        self.cached: list[int] = []
        self.marks: list[int] = []
        self.order: list[int] = []
        self.offered: dict[int, int] = {}
        self.when: dict[int, tuple[int, int]] = {}
        self.evicted: dict[int, list[int]] = {}
        self.trusted = self.clock = 0
        self.now = -1

    def leaf(self, v: int) -> bool:
        parent = (0, *self.instance.parents)
        return v in self.cached and all(parent[u] != v for u in self.cached)

    def join(self, v: int) -> None:
        if v and self.leaf(v) and v not in self.marks and v not in self.order:
            self.order.append(v)
            self.clock += 1
            self.offered[v] = self.clock

    def leave(self, v: int) -> None:
        if v in self.order:
            self.order[self.order.index(v)] = self.order[-1]
            self.order.pop()

    def expected(self, v: int) -> tuple[int, bool, int, int]:
        due, last = self.when[v]
        late = due <= self.now
        return 2 * self.now - last if late else due, late, -last if late else 0, -self.offered[v]

    def serve(self, v: int) -> list[int]:
        self.now += 1
        path, k = self.instance.path(v), self.instance.capacity
        said = dict(zip(path, self.advice.predict(path), strict=True))
        self.when.update({u: (when, self.now) for u, when in said.items()})
        if len({*self.marks, *path}) > k:
            ended, self.marks, self.evicted = self.marks, [], {}
            for u in ended:
                self.join(u)
            self.trusted = math.ceil(sum(1 / i for i in range(1, len(self.order) + 1)))
        self.marks += [u for u in path if u not in self.marks]
        held = [u for u in path if u in self.cached]
        for u in held[-1:]:
            self.leave(u)
        missing = path[len(held) :]
        room = [self.evicted.pop(u, [0]) for u in missing][max(0, k - len(self.cached)) :]
        self.cached += missing
        gone = []
        for chain in room:
            chain[0] += 1
            if chain[0] <= self.trusted:
                u = max(self.order, key=self.expected)
            else:
                u = self.order[self.rng.below(len(self.order))]
            gone.append(u)
            self.evicted[u] = chain
            self.leave(u)
            self.cached.remove(u)
            above = (0, *self.instance.parents)[u]
            if above not in path:
                self.join(above)
        self.join(v)
        return gone


def test_predictive_marker_evicts_what_a_plain_one_does() -> None:
    drawn, dice = 0, SplitMix64(1)
    flat = Instance(star(9), 8, tuple(1 + dice.below(9) for _ in range(300)))
    cases = [*wrongly(60, max_nodes=16, max_requests=120), *((flat, some) for some in wrong_advice(flat, 0))]
    for seed, (instance, advice) in enumerate(cases):
        engine = ObjectReference(instance.tree, instance.capacity, told(PredictiveMarker, advice), seed)
        plain = PlainMarker(instance, advice, seed)
        for v in instance.requests:
            assert engine.serve(v)[1] == plain.serve(v)
        drawn += plain.rng.state != SplitMix64(seed).state
    assert drawn >= 15


def test_wrong_evictions_are_those_of_the_definition() -> None:
    found = 0
    for instance, advice in wrongly(60, max_nodes=14, max_requests=80):
        engine = ObjectReference(instance.tree, instance.capacity, told(BlindOracle, advice))
        hits, victims = engine.run(instance.requests)
        run = replay(instance.trace, instance.capacity, told(BlindOracle, advice), victims=True)
        wrong = int(wrong_evictions(instance.trace, instance.capacity, run.victims).sum())
        assert wrong == wrong_in_all(instance, victims)
        assert instance.misses(hits) <= least(instance.trace, instance.capacity) + wrong
        found += wrong
    assert found > 100


@pytest.mark.parametrize("policy", [LeafLRU, RLT])
def test_they_bound_every_policys_loss(policy: type[ObjectPolicy]) -> None:
    trace, _ = generate("chat:sessions=60").cut(100)
    run = replay(trace, 100, policy, victims=True)
    lost = trace.accesses - int(trace.tree.depth[run.hit].sum()) - least(trace, 100)
    assert 0 < lost <= wrong_evictions(trace, 100, run.victims).sum()


def test_trust_has_no_bound_and_the_hedge_has() -> None:
    """Star of three, room for two: what never returns is said to, and the others are not."""
    for rounds in (50, 500):
        trace = Trace.from_parents(star(3), [1, *[2, 3] * rounds])
        nodes = trace.requests
        advice = Advice(truth(trace).start, (NEVER - (nodes == 1)).astype("int64"))
        assert least(trace, 2) == 3
        assert misses(trace, 2, told(BlindOracle, advice)) == 1 + 2 * rounds
        assert misses(trace, 2, told(PredictiveMarker, advice)) <= 6
        assert misses(trace, 2, told(RobustAdvice, advice)) <= 3 * 4 + 4 * 2


def test_the_hedge_turns_to_rlt_in_time() -> None:
    trace = generate("zipf:documents=60,blocks=1,shared=0,requests=4000,seed=2")
    capacity = 12
    advice = truth(trace).inverted(1, 0)
    blind = misses(trace, capacity, told(BlindOracle, advice))
    engine = ObjectReference(trace.tree, capacity, told(RobustAdvice, advice), 3)
    hits, _ = engine.run(trace.requests.tolist())
    mind = engine.mind
    assert isinstance(mind, Hedge)
    missed = trace.accesses - int(trace.tree.depth[hits].sum())
    assert mind.switches >= 1
    assert mind.led.misses == blind
    assert mind.safe.misses == misses(trace, capacity, RandomUnmarkedLeaf, 3)
    assert missed <= mind.safe.misses + 4 * capacity < blind


def test_advice_is_bound_to_a_class_and_not_to_the_registry() -> None:
    advice = truth(Trace.from_parents([0, 0], [1, 2]))
    for policy in (BlindOracle, PredictiveMarker, RobustAdvice):
        bound = told(policy, advice)
        assert issubclass(bound, policy)
        assert bound is not policy
        assert every_policy()[policy.name] is policy
    first, second = (told(BlindOracle, advice)(1, SplitMix64(0)) for _ in range(2))
    assert isinstance(first, Advised)
    assert isinstance(second, Advised)
    first.on_request([1], [])
    assert (first.predictor.snapshot()["time"], second.predictor.snapshot()["time"]) == (1, 0)
    with pytest.raises(TypeError, match="arc takes no advice"):
        advised(ARC, partial(Told, advice))
