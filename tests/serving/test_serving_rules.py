"""Policies that read what requests say: each rule is that of a scan, and without facts it is leaf-LRU."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from profiles import examples
from scans import RULES, Said, Scan, long_talk, talks, told

from kvtheory.engine.kernel import replay
from kvtheory.engine.object_reference import ObjectReference
from kvtheory.object_policy import ObjectPolicy
from kvtheory.policies.lpc import LPC
from kvtheory.policies.lru import LeafLRU
from kvtheory.policies.priority import Priority
from kvtheory.policies.session_eta import SessionETA
from kvtheory.policies.tail_lru import TailLRU
from kvtheory.policies.workload_aware import WorkloadAware
from kvtheory.rng import SplitMix64
from kvtheory.testing.instances import Instance, random_instance


@pytest.mark.parametrize(("policy", "scan"), RULES, ids=[policy.name for policy, _ in RULES])
@settings(max_examples=examples(40), deadline=None)
@given(case=talks())
def test_the_rule_is_that_of_a_scan(
    policy: type[ObjectPolicy], scan: type[Scan], case: tuple[Instance, list[Said]]
) -> None:
    instance, said = case
    engine = told(ObjectReference(instance.tree, instance.capacity, policy), said)
    assert engine.run(instance.requests)[1] == scan(instance).run(said)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(("policy", "scan"), RULES, ids=[policy.name for policy, _ in RULES])
def test_in_the_long_run_it_is_that_of_a_scan(
    policy: type[ObjectPolicy], scan: type[Scan], seed: int
) -> None:
    instance, said = long_talk(seed)
    engine = told(ObjectReference(instance.tree, instance.capacity, policy), said)
    assert engine.run(instance.requests)[1] == scan(instance).run(said)


class Watched(LPC):
    """LPC whose predictions are written down, drawn instead of learned."""

    name = "watched_lpc"

    def __init__(self, capacity: int, rng: SplitMix64) -> None:
        super().__init__(capacity, rng)
        self.dice = SplitMix64(capacity)
        self.said: list[float] = []
        self.saw: list[bool] = []
        self.model = Stub(self)  # type: ignore[assignment]


class Stub:
    """A predictor that draws."""

    def __init__(self, mind: Watched) -> None:
        self.mind = mind

    def log_odds(self, on: Sequence[int]) -> float:
        self.mind.said.append((self.mind.dice.below(81) - 40) / 8)
        return self.mind.said[-1]

    def observe(self, on: Sequence[int], happened: bool, mass: float) -> None:
        self.mind.saw.append(happened)


@pytest.mark.parametrize("seed", range(8))
def test_lpc_evicts_the_least_decayed_probability(seed: int) -> None:
    """By the published formula, worn down step by step; what shared a node before keeps its word."""
    instance, said = long_talk(seed)
    engine = told(ObjectReference(instance.tree, instance.capacity, Watched), said)
    mind = engine.mind
    assert isinstance(mind, Watched)
    probability: dict[int, dict[str, Any]] = {}
    choose, clock = mind.victim, 0.0

    def victim(leaves: Any) -> Any:
        chosen = choose(leaves)
        value = {v: max(probability[v]["own"], probability[v]["others"]) for v in leaves}
        assert value[chosen] <= min(value.values()) * (1 + 1e-9)
        return chosen

    mind.victim = victim  # type: ignore[method-assign]
    request = mind.on_request

    def on_request(path: Any, cached: Any) -> None:
        nonlocal clock
        row = said[engine.time]
        request(path, cached)
        mean = mind.sessions.mean_gap()
        decay = math.exp(-(row["timestamp"] - clock) / mean) if mean and engine.time else 1.0
        clock = row["timestamp"]
        for note in probability.values():
            for who in ("own", "others"):
                note[who] = note[who] * decay / (note[who] * decay + 1 - note[who])
        for v in set(probability) - engine.cached:
            del probability[v]
        p = 1 / (1 + math.exp(-mind.said[-1]))
        for v in path:
            note = probability.setdefault(v, {"session": row["session"], "own": 0.0, "others": 0.0})
            if note["session"] != row["session"]:
                note["others"] = max(note["own"], note["others"])
            note.update(session=row["session"], own=p)

    mind.on_request = on_request  # type: ignore[method-assign]
    engine.run(instance.requests)


def test_lpc_sees_what_became_of_a_turn_when_it_may_be_told() -> None:
    """Every gap is 10 s, so that a turn counts 40 s after it; session 0 goes on until 50 s, 1 does not."""
    mind = Watched(4, SplitMix64(0))
    for time, session in [(0, 0), (1, 1), (10, 0), (20, 0), (30, 0), (40, 0), (50, 0), (91, 2)]:
        mind.on_arrival({"timestamp": float(time), "session": session})
        mind.on_request([session], [])
        if time == 40:
            assert mind.saw == [True]
        if time == 50:
            assert mind.saw == [True, False, True]
    assert mind.saw == [True, False, True, True, True, True, False]
    assert len(mind.turns) == 1


# --- without what they read -----------------------------------------------------------------------------


class Patient(TailLRU):
    """All is surplus."""

    name = "patient_tail"
    TARGET = 1e9


class Hopeless(TailLRU):
    """Nothing is."""

    name = "hopeless_tail"
    TARGET = 0.0


ALONE = {"type": 0, "turn": 1}
PLAIN = [
    (Priority, {}),
    (Priority, {"priority": 3}),
    (Patient, {}),
    (Hopeless, {"input_length": 50}),
    (WorkloadAware, ALONE),
]


@pytest.mark.parametrize(("policy", "same"), PLAIN, ids=lambda value: getattr(value, "name", str(value)))
def test_where_requests_do_not_differ_it_is_leaf_lru(policy: type[ObjectPolicy], same: Said) -> None:
    for seed in range(25):
        instance = random_instance(seed)
        engine = told(
            ObjectReference(instance.tree, instance.capacity, policy), [same] * len(instance.requests)
        )
        logged = replay(instance.trace, instance.capacity, LeafLRU, victims=True)
        assert [v for some in engine.run(instance.requests)[1] for v in some] == logged.victims.tolist()


@pytest.mark.parametrize("policy", [SessionETA, LPC])
def test_while_no_conversation_goes_on_it_is_leaf_lru(policy: type[ObjectPolicy]) -> None:
    for seed in range(25):
        instance = random_instance(seed)
        said: list[Said] = [{"session": t, "timestamp": t / 3} for t in range(len(instance.requests))]
        engine = told(ObjectReference(instance.tree, instance.capacity, policy), said)
        logged = replay(instance.trace, instance.capacity, LeafLRU, victims=True)
        assert [v for some in engine.run(instance.requests)[1] for v in some] == logged.victims.tolist()


# --- what they are for ----------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", [Priority, TailLRU, SessionETA, WorkloadAware, LPC])
def test_answers_and_chunks_of_a_live_engine(policy: type[ObjectPolicy]) -> None:
    """Blocks that nobody announced, and some that come in after another request was seen."""
    mind = policy(8, SplitMix64(0))
    mind.on_arrival({"priority": 5, "session": 1, "timestamp": 1.0})
    mind.on_request(["a", "ab", "abc"], [])
    mind.on_insert("a")
    mind.on_arrival({"priority": 1, "session": 2, "timestamp": 2.0})
    mind.on_request(["x"], [])
    for v in ("x", "ab", "abc", "xy"):
        mind.on_insert(v)
    for v in ("abc", "xy"):
        mind.on_leaf(v)
    json.dumps(mind.snapshot())
    assert mind.victim({"abc": None, "xy": None}) in ("abc", "xy")
    if policy is Priority:
        assert mind.victim({"abc": None, "xy": None}) == "xy"
    for v in ("xy", "abc", "x", "ab", "a"):
        mind.on_evict(v)
