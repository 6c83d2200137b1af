"""Rules of serving policies restated by a scan of all leaves, and what requests say to them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st

from kvtheory.engine.object_reference import ObjectReference
from kvtheory.facts import Facts
from kvtheory.policies.priority import Priority
from kvtheory.policies.session_eta import SessionETA
from kvtheory.policies.tail_lru import TailLRU
from kvtheory.policies.workload_aware import WorkloadAware
from kvtheory.testing.instances import Instance, fitting
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
