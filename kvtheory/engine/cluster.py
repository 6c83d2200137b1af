"""Many workers behind a router, in simulated time.

Order of events: of those at the same time, first tokens, completions and incidents come before arrivals, each
in the order in which it was arranged. A request is sent once, to one worker; the worker's cache serves it as
:mod:`kvtheory.model` says. A worker that dies loses its unfinished requests: each is sent again at once, in
order, and keeps its time of arrival. While no worker is up, requests wait for the first that is. Workers
serve one request at a time, or batches (:mod:`kvtheory.engine.batching`): steps begin after arrivals.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np

from kvtheory.engine.arrivals import sessions
from kvtheory.engine.batching import Batching, BatchingWorkers
from kvtheory.engine.incidents import NOTHING, Incidents
from kvtheory.engine.workers import (
    DOWN,
    FINISH,
    FIRST_TOKEN,
    LAST,
    UP,
    Agenda,
    FifoWorkers,
    Job,
    Rates,
    Workers,
)
from kvtheory.errors import InputError, RouterError
from kvtheory.model import CostModel, Floats, IntArray, LongArray, Number, Trace
from kvtheory.object_policy import AnyPolicy
from kvtheory.router import Arrival, Completion, Router, View

MakeRouter = Callable[[View], Router]
UNIT = CostModel()


@dataclass(frozen=True, eq=False)
class ClusterRun:
    """What happened, request by request; everything else follows from it.

    Attributes:
        workers: how many there were.
        arrival, start, first, finish: in units of time, shape (N,).
        worker: int32, shape (N,): who served each.
        hit: int64, shape (N,): cached nodes or tokens of each prompt.
        length: int64, shape (N,): all of them.
        cost: service cost of each, without waiting and at full speed, times `scale`, shape (N,).
        scale: makes exact costs whole numbers; 0 where the costs are floats.
        resent: how often a request was sent again because its worker died.
        cut_requests: requests longer than the capacity.
    """

    workers: int
    arrival: Floats
    start: Floats
    first: Floats
    finish: Floats
    worker: IntArray
    hit: LongArray
    length: LongArray
    cost: Floats
    scale: int
    resent: int
    cut_requests: int

    def after(self, first: int) -> ClusterRun:
        """The same without the requests before `first`."""
        if first == 0:
            return self
        rest: dict[str, Any] = {
            name: value[first:] if isinstance(value, np.ndarray) else value
            for name, value in vars(self).items()
        }
        return ClusterRun(**rest)

    @property
    def loads(self) -> list[Number]:
        """Summed service cost of each worker; exact where the costs are, up to 2**53."""
        total = np.bincount(self.worker, self.cost, self.workers).tolist()
        return [Fraction(int(x), self.scale) for x in total] if self.scale else total

    @property
    def makespan(self) -> Number:
        """Largest summed service cost of a worker, idle time not counted [Wu2026]_."""
        return max(self.loads)

    @property
    def balance(self) -> float:
        """Largest over mean load; 1 where nothing was to do."""
        loads = self.loads
        return float(max(loads) * len(loads) / sum(loads)) if any(loads) else 1.0

    @property
    def hit_rate(self) -> float | None:
        """Share of all nodes or tokens that were cached; None where there are none."""
        total = int(self.length.sum())
        return int(self.hit.sum()) / total if total else None

    @property
    def finish_time(self) -> float:
        """When the last request was done."""
        return float(self.finish.max())

    @property
    def latency(self) -> Floats:
        """From arrival to the last token, shape (N,)."""
        return self.finish - self.arrival

    @property
    def ttft(self) -> Floats:
        """From arrival to the first token, shape (N,)."""
        return self.first - self.arrival

    @property
    def queueing(self) -> Floats:
        """From arrival to the start of service, shape (N,)."""
        return self.start - self.arrival


def simulate(
    trace: Trace,
    workers: int,
    capacity: int,
    policy: AnyPolicy,
    make_router: MakeRouter,
    *,
    costs: CostModel = UNIT,
    arrivals: Floats | None = None,
    unit: str = "nodes",
    seconds: bool = False,
    incidents: Incidents = NOTHING,
    seed: int = 0,
    batching: Batching | None = None,
) -> ClusterRun:
    """Serve a trace by several workers.

    Args:
        trace: the requests; a path longer than the capacity is served up to its first `capacity` nodes, the
            rest are misses.
        workers: how many there are.
        capacity: nodes that each caches.
        policy: who chooses the victims.
        make_router: makes the router, given its view.
        costs: of service, in units of time; as ints or Fractions they make times and ties exact.
        arrivals: non-decreasing, shape (N,); default, all at 0.
        unit: what hits and misses are counted in, `nodes` or `tokens`.
        seconds: whether the unit of time is a second.
        incidents: what goes wrong.
        seed: of the policy's and the router's draws.
        batching: how workers batch, its step in units of time; None: they serve one request at a time.

    Raises:
        InputError: if there are no requests or no workers, or an incident names no worker.
        RouterError: if the router chooses no worker that is up.
    """
    if workers < 1:
        raise InputError(f"{workers} workers: at least one is needed", field="workers")
    if not len(trace):
        raise InputError("no requests", file=trace.source)
    incidents.require(workers)
    served, cut_requests = trace.cut(capacity)
    above = _above(trace, unit)
    scaled, scale = costs.scaled(*([batching.step] if batching else []))
    times = np.zeros(len(trace)) if arrivals is None else arrivals
    answers = trace.answers
    rates, step = Rates.of(scaled), scale or 1
    incidents = incidents.scaled(step)
    job = Job(served, above, above[trace.requests], answers, rates, times * step)
    agenda = Agenda()
    view = View(trace.tree, workers, capacity, above, scaled, step * (0.001 if seconds else 1.0), seed)
    router = make_router(view)
    hire: Callable[..., Workers] = FifoWorkers
    if batching is not None:
        hire = partial(BatchingWorkers, batching=replace(batching, step=batching.step * step))
    fleet = hire(
        job,
        workers,
        capacity,
        policy,
        agenda,
        seed=seed,
        incidents=incidents,
        first_tokens=router.watches_first_tokens,
    )
    if router.omniscient:
        view.truth = fleet
    resent = _Cluster(job, fleet, router, agenda, incidents, sessions(trace)).run()
    return ClusterRun(
        workers,
        times,
        job.start / step,
        job.first / step,
        job.finish / step,
        job.worker,
        job.hit,
        job.length,
        rates.prefill(job.hit, job.length) + rates.answer(answers, job.length),
        scale,
        resent,
        cut_requests,
    )


def _above(trace: Trace, unit: str) -> LongArray:
    if unit not in ("nodes", "tokens"):
        raise InputError(f"'{unit}' is not nodes or tokens", field="unit")
    tree = trace.tree
    return tree.depth.astype(np.int64) if unit == "nodes" else tree.path_sums(tree.tokens)


class _Cluster:
    """The loop over events."""

    def __init__(
        self,
        job: Job,
        fleet: Workers,
        router: Router,
        agenda: Agenda,
        incidents: Incidents,
        session: LongArray,
    ) -> None:
        self.job, self.fleet, self.router, self.agenda = job, fleet, router, agenda
        self.incidents, self.up = incidents, router.view.up
        self.session: list[int] = session.tolist()
        self.nodes: list[int] = job.trace.requests.tolist()
        self.length: list[int] = job.length.tolist()
        self.arrival: list[float] = job.arrival.tolist()
        self.waiting: deque[int] = deque()
        self.resent = 0
        self.done = bytearray(len(self.nodes))
        self.clock: Callable[[float], float] = incidents.clock_at if incidents.clock else float

    def run(self) -> int:
        """Until everything is served; how often a request was sent again."""
        for worker, start, end in self.incidents.down:
            self.agenda.add(start, DOWN, worker, -1)
            self.agenda.add(end, UP, worker, -1)
        events, happen, send = self.agenda.events, self.happen, self.send
        for request, time in enumerate(self.arrival):
            arrives = (time, LAST)
            while events and events[0] < arrives:
                happen()
            send(request, time)
        while events:
            happen()
        return self.resent

    def send(self, request: int, now: float) -> None:
        """The router chooses, the worker takes it."""
        if self.incidents.down and not self.up.any():
            self.waiting.append(request)
            return
        router = self.router
        arrival = Arrival(
            request, self.nodes[request], self.length[request], self.session[request], self.clock(now)
        )
        worker = router.choose(arrival)
        if not (0 <= worker < self.up.size and self.up[worker]):
            raise RouterError(f"{router.name} sends request {request} to worker {worker}, which is not up")
        self.fleet.send(worker, request, now)
        router.on_dispatch(arrival, worker)

    def happen(self) -> None:
        """The next event."""
        time, _, kind, worker, request = self.agenda.next()
        job = self.job
        if kind == FINISH:
            if self.done[request] or job.worker[request] != worker or job.finish[request] != time:
                return  # it was lost, and sent again
            self.done[request] = 1
            self._finish(request, worker, time)
        elif kind == FIRST_TOKEN:
            if job.worker[request] == worker and job.first[request] == time:
                self.router.on_first_token(request, worker, self.clock(time))
        elif kind == DOWN:
            self._down(worker, time)
        elif kind == UP:
            self.up[worker] = True
            self.router.on_up(worker, self.clock(time))
            while self.waiting:
                self.send(self.waiting.popleft(), time)
        else:
            self.fleet.wake(worker, time)

    def _finish(self, request: int, worker: int, time: float) -> None:
        job, arrival = self.job, self.arrival[request]
        self.fleet.done(worker, request)
        now, sent = self.clock(time), self.clock(arrival)
        ttft = self.clock(float(job.first[request])) - sent
        self.router.on_finish(Completion(request, worker, now, now - sent, ttft, int(job.hit[request])))

    def _down(self, worker: int, time: float) -> None:
        self.up[worker] = False
        lost = self.fleet.lose(worker, time)
        self.router.on_down(worker, lost, self.clock(time))
        self.resent += len(lost)
        self.job.worker[lost] = -1
        for request in lost:
            self.send(request, time)
