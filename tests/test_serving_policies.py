"""Policies that read what requests say: each rule restated by a scan, what it is for and what without."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from profiles import examples

from kvtheory.engine.kernel import replay
from kvtheory.engine.object_reference import ObjectReference
from kvtheory.facts import Facts
from kvtheory.model import Trace
from kvtheory.object_policy import ObjectPolicy
from kvtheory.policies.lpc import LPC
from kvtheory.policies.lru import LeafLRU
from kvtheory.policies.priority import Priority
from kvtheory.policies.session_eta import SessionETA
from kvtheory.policies.tail_lru import TailLRU
from kvtheory.policies.workload_aware import WorkloadAware
from kvtheory.rng import SplitMix64
from kvtheory.testing.instances import Instance, fitting, random_instance
from kvtheory.testing.strategies import instances

Said = dict[str, int | float]


@dataclass
class Node:
    """What the scans remember of a cached node."""

    depth: int
    last: int = 0
    notes: dict[str, Any] = field(default_factory=dict)


class Scan:
    """A cache that looks at every leaf at every eviction; a rule is `see` and `least`.

    Attributes:
        now: time of the request, by its timestamp.
        turns: of each session: turn, time of the last turn, sum of its gaps, tokens of the last prompt.
        gaps: all gaps between two turns.
    """

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.cached: dict[int, Node] = {}
        self.now = 0.0
        self.turns: dict[int | float, tuple[int, float, float, int]] = {}
        self.gaps: list[float] = []

    def see(self, request: int, said: Said, path: list[int], new: set[int]) -> None:
        """A request, before anything is evicted; its nodes are cached, those in `new` since now."""
        raise NotImplementedError

    def least(self, leaves: list[int]) -> int:
        """The victim."""
        raise NotImplementedError

    def run(self, said: Sequence[Said]) -> list[list[int]]:
        """Victims of each request."""
        found, parent = [], (-1, *self.instance.parents)
        for t, v in enumerate(self.instance.requests):
            path = self.instance.path(v)
            new = {u for u in path if u not in self.cached}
            for u in path:
                self.cached.setdefault(u, Node(self.instance.depth[u])).last = t
            self._turn(said[t])
            self.see(t, said[t], path, new)
            victims: list[int] = []
            while len(self.cached) > self.instance.capacity:
                inner = {parent[u] for u in self.cached}
                victims.append(self.least([u for u in self.cached if u not in inner and u not in path]))
                self.gone(victims[-1])
                del self.cached[victims[-1]]
            found.append(victims)
        return found

    def gone(self, v: int) -> None:
        """A victim leaves."""

    def age(self, v: int) -> tuple[int, int]:
        """Smaller for what was used less recently, deepest first among equals."""
        return self.cached[v].last, -self.cached[v].depth

    def _turn(self, said: Said) -> None:
        self.now = said["timestamp"]
        turn, before, waited, _ = self.turns.get(said["session"], (0, self.now, 0.0, 0))
        if turn:
            self.gaps.append(self.now - before)
        self.turns[said["session"]] = (
            turn + 1,
            self.now,
            waited + self.now - before,
            int(said["input_length"]),
        )


class ScanPriority(Scan):
    """Highest priority since insertion; least of these first, then least recent."""

    def see(self, request: int, said: Said, path: list[int], new: set[int]) -> None:
        for u in path:
            before = -math.inf if u in new else self.cached[u].notes["priority"]
            self.cached[u].notes["priority"] = max(before, said["priority"])

    def least(self, leaves: list[int]) -> int:
        return min(leaves, key=lambda v: (self.cached[v].notes["priority"], self.age(v)))


class ScanTail(Scan):
    """A node is surplus if what is before it is enough for every request that it has seen."""

    ALLOWED = 7

    def __init__(self, instance: Instance) -> None:
        super().__init__(instance)
        self.prompts: dict[int | float, int] = {}
        self.growth: list[int] = []

    def see(self, request: int, said: Said, path: list[int], new: set[int]) -> None:
        tokens, session = int(said["input_length"]), said["session"]
        if session in self.prompts:
            self.growth.append(max(0, tokens - self.prompts[session]))
        self.prompts[session] = tokens
        times = max(1, len(self.growth))
        for i, u in enumerate(path):
            enough = tokens * i * times >= len(path) * ((tokens - self.ALLOWED) * times + sum(self.growth))
            spared = enough and (u in new or self.cached[u].notes["spared"])
            self.cached[u].notes["spared"] = spared

    def least(self, leaves: list[int]) -> int:
        return min(leaves, key=lambda v: (not self.cached[v].notes["spared"], self.age(v)))


class ScanETA(Scan):
    """Farthest from now on either side, the overdue first among equals."""

    def see(self, request: int, said: Said, path: list[int], new: set[int]) -> None:
        turn, _, waited, _ = self.turns[said["session"]]
        usual = sum(self.gaps) / len(self.gaps) if self.gaps else 0.0
        for u in path:
            self.cached[u].notes["eta"] = self.now + (waited + usual) / turn

    def least(self, leaves: list[int]) -> int:
        def rank(v: int) -> tuple[float, float, tuple[int, int]]:
            eta = self.cached[v].notes["eta"]
            return -abs(self.now - eta), eta, (self.cached[v].last, self.cached[v].depth)

        return min(leaves, key=rank)


class ScanWorkload(Scan):
    """Every use of every node is written down; probabilities are taken from the list when they are needed."""

    def __init__(self, instance: Instance) -> None:
        super().__init__(instance)
        self.uses: list[list[Any]] = []
        self.used: dict[int, int] = {}
        self.life, self.victims = 0.0, 0

    def see(self, request: int, said: Said, path: list[int], new: set[int]) -> None:
        category = said["type"], min(int(said["turn"]), WorkloadAware.TURNS)
        for u in path:
            if u in self.used:
                self.uses[self.used[u]][2] = self.now
            self.used[u] = len(self.uses)
            self.uses.append([category, self.now, None])

    def chance(self, v: int) -> float:
        category, then, _ = self.uses[self.used[v]]
        all_uses = [use for use in self.uses if use[0] == category]
        waits = [again - before for _, before, again in all_uses if again is not None]
        often = (len(waits) + 1) / (len(all_uses) + 2)
        if not sum(waits):
            return often
        mean = sum(waits) / len(waits)
        still = often * math.exp(-(self.now - then) / mean)
        return (1 - math.exp(-self.life / mean) if self.victims else 1.0) * still / (1 - often + still)

    def least(self, leaves: list[int]) -> int:
        def oldest(v: int) -> tuple[float, int, int]:
            return self.uses[self.used[v]][1], -self.cached[v].depth, self.cached[v].last

        heads: dict[Any, int] = {}
        for v in sorted(leaves, key=oldest, reverse=True):
            heads[self.uses[self.used[v]][0]] = v
        return min(heads.values(), key=lambda v: (self.chance(v), -self.cached[v].depth, oldest(v)[0]))

    def gone(self, v: int) -> None:
        self.victims += 1
        share = 1 / min(self.victims, WorkloadAware.VICTIMS)
        self.life += share * (self.now - self.uses[self.used[v]][1] - self.life)


class Tight(TailLRU):
    """Seven tokens are computed in time."""

    name = "tight_tail"
    TARGET, SPEED = 1.0, 7.0


RULES = [(Priority, ScanPriority), (Tight, ScanTail), (SessionETA, ScanETA), (WorkloadAware, ScanWorkload)]


@st.composite
def talks(draw: st.DrawFn) -> tuple[Instance, list[Said]]:
    """Requests, and all that they say; times are quarters, so that sums are exact."""
    instance = draw(instances(max_nodes=9, max_requests=40))
    small = st.integers(0, 3)
    rows = draw(st.lists(st.tuples(small, small, small, small, small), min_size=40, max_size=40))
    times = np.cumsum([row[0] for row in rows]) / 4
    names = ("session", "type", "priority", "turn")
    return instance, [
        dict(zip(names, row[1:], strict=True))
        | {
            "timestamp": float(now),
            "turn": 1 + 4 * row[4],
            "input_length": 3 * instance.depth[v] - row[1] % 2,
        }
        for row, now, v in zip(rows, times, instance.requests, strict=False)
    ]


def long_talk(seed: int) -> tuple[Instance, list[Said]]:
    """Two hundred requests and many evictions: what a small case has no time for."""
    rng = np.random.default_rng(seed)
    parents = tuple(int(rng.integers(0, v)) if rng.random() < 0.6 else 0 for v in range(1, 25))
    capacity = int(rng.integers(6, 13))
    requests = fitting(parents, rng.integers(0, 25, 200).tolist(), capacity)
    times = np.cumsum(rng.integers(0, 4, 200)) / 4
    instance = Instance(parents, capacity, requests)
    return instance, [
        {
            "session": int(rng.integers(6)),
            "type": int(rng.integers(2)),
            "priority": int(rng.integers(-2, 3)),
            "turn": int(rng.integers(1, 11)),
            "timestamp": float(now),
            "input_length": max(1, 3 * instance.depth[v] - int(rng.integers(3))),
        }
        for now, v in zip(times, requests, strict=True)
    ]


def told(engine: ObjectReference, said: Sequence[Said]) -> ObjectReference:
    """The engine, in possession of what requests say."""
    names = set().union(*said) if said else set()
    engine.facts = Facts({name: [row[name] for row in said] for name in names & set(engine.mind.reads)})
    return engine


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


def rounds(count: int, requests: Callable[[int], Sequence[tuple[str, Said]]]) -> Trace:
    """A trace from rounds of (prompt, what it says); the blocks of a prompt are its words."""
    ids: dict[str, int] = {"": 0}
    parents: list[int] = []
    asked, said = [], []
    for i in range(count):
        for prompt, about in requests(i):
            words, above = prompt.split(), ""
            for word in words:
                name = f"{above} {word}"
                if name not in ids:
                    parents.append(ids[above])
                    ids[name] = len(ids)
                above = name
            asked.append(ids[above])
            said.append(about)
    columns = {name: np.array([about[name] for about in said]) for name in said[0]}
    trace = Trace.from_parents(parents, asked)
    return Trace(trace.tree, trace.requests, columns=columns)


def hit(trace: Trace, capacity: int, policy: Any, who: str, value: int, *, blind: bool = False) -> float:
    """Share of the accesses of requests with `who` equal to `value` that hit, in the second half."""
    shown = Trace(trace.tree, trace.requests, columns={} if blind else trace.columns)
    counted = trace.columns[who] == value
    counted[: len(trace) // 2] = False
    hits = trace.tree.depth[replay(shown, capacity, policy).hit]
    return float(hits[counted].sum() / trace.depths[counted].sum())


def test_priority_protects() -> None:
    """A document that matters is asked for after nine that do not, in a cache for eight blocks."""
    trace = rounds(
        60, lambda i: [("law 1 2", {"priority": 1})] + [(f"x{i}.{j} 1", {"priority": 0}) for j in range(9)]
    )
    assert hit(trace, 8, LeafLRU, "priority", 1) == 0
    assert hit(trace, 8, Priority, "priority", 1) == 1
    assert hit(trace, 8, Priority, "priority", 1, blind=True) == 0


def test_session_eta_knows_who_comes_back_when() -> None:
    """Two agents call a tool every 2 s; ten readers come back every 60 s, in turn. There is room for six."""

    def requests(i: int) -> list[tuple[str, Said]]:
        now = 6.0 * i
        agents = [
            (f"agent{a} 1 2", {"who": 0, "session": a, "timestamp": now + 2 * k})
            for k in range(2)
            for a in (0, 1)
        ]
        return [*agents, (f"reader{i % 10} 1 2", {"who": 1, "session": 2 + i % 10, "timestamp": now + 4})]

    trace = rounds(120, requests)
    assert hit(trace, 18, LeafLRU, "who", 1) == 0
    assert hit(trace, 18, SessionETA, "who", 0) == 1
    assert hit(trace, 18, SessionETA, "who", 1) > 0.25
    # four readers of ten fit beside the agents, so that OPT keeps three through a round of the others
    assert hit(trace, 18, SessionETA, "who", 1) <= 0.4
    assert (
        hit(trace, 18, SessionETA, "who", 1, blind=True) > 0.2
    )  # prompts that repeat tell conversations, too


def test_workload_aware_keeps_the_category_that_returns() -> None:
    """Chats (type 0) speak by turns; calls of an API (type 1) never repeat, four to a chat."""
    trace = rounds(
        150,
        lambda i: (
            [(f"chat{i % 5} 1 2", {"type": 0, "turn": 2})]
            + [(f"call{i}.{j} 1 2", {"type": 1, "turn": 1}) for j in range(4)]
        ),
    )
    assert hit(trace, 24, LeafLRU, "type", 0) == 0
    assert hit(trace, 24, WorkloadAware, "type", 0) == 1
    assert hit(trace, 24, WorkloadAware, "type", 0, blind=True) > 0.9  # calls are first turns


def test_lpc_learns_which_conversations_go_on() -> None:
    """The same with types that say nothing of the turn: all that is known is learned."""
    trace = rounds(
        300,
        lambda i: (
            [
                (
                    f"chat{i // 40}.{i % 5} {' '.join(map(str, range(1 + i % 40 // 5)))}",
                    {"type": 0, "timestamp": 5.0 * i},
                )
            ]
            + [(f"call{i}.{j} 1 2", {"type": 1, "timestamp": 5.0 * i + j}) for j in range(1, 5)]
        ),
    )
    lru, lpc = (hit(trace, 60, policy, "type", 0) for policy in (LeafLRU, LPC))
    assert lru < 0.1
    assert lpc > 0.6


def test_tail_lru_gives_up_hits_for_the_tail() -> None:
    """Of 40 and of 8 blocks 20 may miss: short conversations are in time without a cache, long ones with."""
    policy = type("Twenty", (TailLRU,), {"name": "twenty", "TARGET": 1.0, "SPEED": 20.0})

    def requests(i: int) -> list[tuple[str, Said]]:
        long, short = f"long{i % 4} " + " ".join(map(str, range(39))), " ".join(map(str, range(7)))
        return [(long, {"long": 1})] + [(f"short{j} {short}", {"long": 0}) for j in range(4)]

    trace = rounds(80, requests)
    late = {}
    for rule in (LeafLRU, policy):
        hits = trace.tree.depth[replay(trace, 120, rule).hit]
        late[rule.name] = int((trace.depths - hits > 20)[len(trace) // 2 :].sum())
    assert late == {"lru": 40, "twenty": 0}
    assert hit(trace, 120, LeafLRU, "long", 0) == 1
    assert hit(trace, 120, policy, "long", 0) < 0.9


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
