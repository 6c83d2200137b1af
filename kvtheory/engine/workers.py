"""The workers of a cluster: a cache each, and a queue that is served first come, first served.

A worker that serves one request at a time serves them in the order in which they were sent, so what a request
hits, and when it starts, is settled when it is sent.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from kvtheory.engine.fleet import Caches
from kvtheory.engine.incidents import NOTHING, Incidents
from kvtheory.engine.object_fleet import ObjectCaches
from kvtheory.engine.recency_fleet import RecencyCaches
from kvtheory.facts import Facts
from kvtheory.model import CostModel, Floats, IntArray, LongArray, Trace
from kvtheory.object_policy import AnyPolicy, ObjectPolicy, reads
from kvtheory.policy import Trait
from kvtheory.router import Truth

FIRST_TOKEN, FINISH, WAKE, DOWN, UP = range(5)
LAST = 1 << 62
Event = tuple[float, int, int, int, int]
"""(time, number, kind, worker, request): the number makes the order of equal times that of their making.

Events with numbers from LAST on come after the arrivals of their time.
"""


class Rates(NamedTuple):
    """A :class:`CostModel` in floats, for one request or for arrays of them."""

    cached: float
    miss: float
    output: float
    decode: float
    attention: float
    context: float
    fixed: float

    @classmethod
    def of(cls, costs: CostModel) -> Rates:
        """The numbers of a cost model."""
        return cls(*map(float, vars(costs).values()))

    def prefill(self, hit: Any, length: Any) -> Any:
        """Cost up to the first token."""
        quadratic = self.attention * (length * length - hit * hit)
        return self.fixed + self.cached * hit + self.miss * (length - hit) + quadratic

    def chunk(self, begin: Any, end: Any) -> Any:
        """Cost of computing a prompt from `begin` to `end`; chunks add up to `prefill` of what is missed."""
        return self.miss * (end - begin) + self.attention * (end * end - begin * begin)

    def answer(self, tokens: Any, length: Any) -> Any:
        """Cost of what follows it."""
        pairs = tokens * length + tokens * (tokens - 1) // 2
        return self.output + self.decode * tokens + self.context * pairs


class Agenda:
    """What is yet to happen, in order of time; of equal times, in the order in which it was arranged."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._number = 0

    def add(self, time: float, kind: int, worker: int, request: int, *, last: bool = False) -> None:
        """Arrange something; `last`: after all else of its time, arrivals too."""
        self._number += 1
        heapq.heappush(self.events, (time, self._number + LAST * last, kind, worker, request))

    def next(self) -> Event:
        """What happens next."""
        return heapq.heappop(self.events)


@dataclass(eq=False)
class Job:
    """The requests, as arrays of shape (N,); what the workers do with them is filled in.

    Attributes:
        trace: with every path cut to the capacity.
        above: int64, shape (n+1,): nodes or tokens of the path of each node.
        length: int64: nodes or tokens of the whole prompt.
        tokens: int64: of the answer.
        rates: what service costs.
        arrival, start, first, finish: in units of time; NaN where it never came to that.
        worker: int32: who served it last; -1 for nobody.
        hit: int64: cached nodes or tokens.
    """

    trace: Trace
    above: LongArray
    length: LongArray
    tokens: LongArray
    rates: Rates
    arrival: Floats

    def __post_init__(self) -> None:
        count = len(self.trace)
        self.start, self.first, self.finish = (np.full(count, np.nan) for _ in range(3))
        self.worker: IntArray = np.full(count, -1, np.int32)
        self.hit: LongArray = np.zeros(count, np.int64)

    def costs_at(self, request: int, held: IntArray) -> Floats:
        """Service cost of a request at workers that hold its path as far as the nodes `held`; same shape."""
        length, tokens = int(self.length[request]), int(self.tokens[request])
        cost: Floats = self.rates.prefill(self.above[held], length) + self.rates.answer(tokens, length)
        return cost


class Workers(Truth, Protocol):
    """What the cluster asks of its workers, beside what an omniscient router may ask."""

    def send(self, worker: int, request: int, now: float) -> None:
        """A request joins a worker's queue."""

    def wake(self, worker: int, now: float) -> None:
        """A time has come that the worker had arranged."""

    def done(self, worker: int, request: int) -> None:
        """The cluster has seen a completion."""

    def lose(self, worker: int, now: float) -> list[int]:
        """The worker dies; its unfinished requests, in the order in which they were sent."""


def caches_of(
    trace: Trace, workers: int, capacity: int, policy: AnyPolicy, seed: int
) -> Caches | RecencyCaches | ObjectCaches:
    """The caches of a cluster's workers: leaf-LRU's on runs, an object's in Python."""
    if issubclass(policy, ObjectPolicy):
        return ObjectCaches(trace.tree, workers, capacity, policy, seed)
    if Trait.RECENCY in policy.traits:
        return RecencyCaches(trace, workers, capacity)
    return Caches(trace.tree, workers, capacity, policy, seed)


class FifoWorkers:
    """Workers that serve one request at a time.

    Args:
        job: the requests.
        workers: how many there are.
        capacity: nodes that each caches.
        policy: who chooses the victims.
        agenda: where first tokens and completions are announced.
        seed: of the policy's draws.
        incidents: when a worker is slow.
        first_tokens: announce them, too.
    """

    def __init__(
        self,
        job: Job,
        workers: int,
        capacity: int,
        policy: AnyPolicy,
        agenda: Agenda,
        *,
        seed: int = 0,
        incidents: Incidents = NOTHING,
        first_tokens: bool = False,
    ) -> None:
        self.job, self.agenda, self.first_tokens = job, agenda, first_tokens
        self.caches = caches_of(job.trace, workers, capacity, policy, seed)
        self._facts = Facts.of(job.trace, reads(policy))
        self.paces = [incidents.pace(w) for w in range(workers)]
        self._load, self._free = np.zeros(workers), np.zeros(workers)
        self._nodes: list[int] = job.trace.requests.tolist()
        self._length: list[int] = job.length.tolist()
        self._tokens: list[int] = job.tokens.tolist()
        self._above = job.above
        self._loses = bool(incidents.down)
        self._sent: list[dict[int, float]] = [{} for _ in range(workers)]

    def send(self, worker: int, request: int, now: float) -> None:
        job, rates = self.job, self.job.rates
        hit = int(self._above[self._serve(worker, request)])
        prefill = rates.prefill(hit, self._length[request])
        work = prefill + rates.answer(self._tokens[request], self._length[request])
        start = max(now, float(self._free[worker]))
        pace = self.paces[worker]
        first, finish = start + prefill, start + work
        if pace is not None:
            first, finish = pace.finish(start, prefill), pace.finish(start, work)
        job.worker[request], job.hit[request] = worker, hit
        job.start[request], job.first[request], job.finish[request] = start, first, finish
        self._free[worker] = finish
        self._load[worker] += work
        if self._loses:
            self._sent[worker][request] = work
        if self.first_tokens:
            self.agenda.add(first, FIRST_TOKEN, worker, request)
        self.agenda.add(finish, FINISH, worker, request)

    def _serve(self, worker: int, request: int) -> int:
        v = self._nodes[request]
        if isinstance(self.caches, ObjectCaches):
            return self.caches.serve(worker, v, self._facts[request])
        return self.caches.serve(worker, v)

    def wake(self, worker: int, now: float) -> None:
        raise AssertionError("workers that serve one request at a time arrange nothing")

    def done(self, worker: int, request: int) -> None:
        if self._loses:
            del self._sent[worker][request]

    def lose(self, worker: int, now: float) -> list[int]:
        lost = self._sent[worker]
        self._load[worker] -= sum(lost.values())
        self._sent[worker] = {}
        self._free[worker] = now
        self.caches.clear(worker)
        return list(lost)

    def match(self, v: int) -> IntArray:
        return self.caches.match(v)

    def backlog(self, now: float) -> Floats:
        return np.maximum(self._free - now, 0.0)

    def costs_of(self, request: int) -> Floats:
        return self.job.costs_at(request, self.match(self._nodes[request]))

    @property
    def load(self) -> Floats:
        return self._load
