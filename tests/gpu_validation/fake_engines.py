"""Engines without vLLM: a fleet in simulated time, and what a child process can serve or die of."""

from __future__ import annotations

import heapq
import os
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Self

from gpu_validation.engine import Job
from gpu_validation.fleet import Happening
from kvtheory.engine.fleet import Caches
from kvtheory.errors import InputError
from kvtheory.model import CostModel, Trace
from kvtheory.object_policy import AnyPolicy


class SimulatedFleet:
    """Caches of the simulator and a clock of its own: a request takes what the cost model says."""

    def __init__(
        self, trace: Trace, engines: int, capacity: int, policy: AnyPolicy, costs: CostModel, seed: int
    ) -> None:
        self.trace, self.costs, self.clock = trace, costs, 0.0
        self.above = trace.tree.path_sums(trace.tree.tokens)
        self.caches = Caches(trace.tree, engines, capacity, policy, seed)
        self.events: list[tuple[float, int, Happening]] = []
        self.busy: set[int] = set()
        self.most = 0

    def now(self) -> float:
        return self.clock

    def begin(self, engine: int, request: int) -> None:
        assert engine not in self.busy
        self.busy.add(engine)
        self.most = max(self.most, len(self.busy))
        v = int(self.trace.requests[request])
        hit, length = int(self.above[self.caches.serve(engine, v)]), int(self.above[v])
        at = self.clock + float(self.costs.prefill(hit, length - hit))
        for order, served in ((2 * request, None), (2 * request + 1, (length, hit))):
            heapq.heappush(self.events, (at, order, Happening(engine, request, at, served)))

    def next(self, until: float | None) -> Happening | None:
        if not self.events or (until is not None and self.events[0][0] > until):
            assert until is not None
            self.clock = max(self.clock, until)
            return None
        at, _, happened = heapq.heappop(self.events)
        self.clock = at
        if happened.served:
            self.busy.remove(happened.engine)
        return happened


class Child:
    """An engine that caches nothing; a prompt that begins with -1 kills its process, with -2 it raises."""

    capacity, vocabulary = 7, 99

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def switch(self, policy: str | None, seed: int = 0) -> dict[str, Any] | None:
        if policy == "unknown":
            raise InputError("no such policy")
        return None

    def status(self) -> dict[str, Any] | None:
        return {"policy": "lru", "place": os.environ.get("FAKE_PLACE")}

    def serve_one(self, job: Job, on_first_token: Callable[[], None]) -> Any:
        if job.prompt[0] == -1:
            os._exit(7)
        if job.prompt[0] == -2:
            raise RuntimeError("out of\nmemory")
        on_first_token()
        return SimpleNamespace(prompt_tokens=len(job.prompt), cached_tokens=0)


def cannot_start() -> Child:
    raise RuntimeError("no memory left")


def dies_at_start() -> Child:
    os._exit(3)
