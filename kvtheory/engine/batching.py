"""Workers that serve a batch of requests at a time: continuous batching with chunked prefill.

A worker works in steps. A step that begins at time t sees whatever was sent up to t, and does, in this order:

1. *Decode.* Every running request whose prompt is complete makes one token.
2. *Chunks.* A prompt that an earlier step left incomplete goes on, as far as the token budget allows.
3. *Admission.* While budget is left and fewer than `together` run, the first of the queue is admitted, if
   the blocks that nobody uses can hold what it lacks; its hit is fixed, its path pinned, its first chunk
   computed.

The step lasts `step` + cost of the chunks + `decode` for each decoding request, and `context` for each unit
that it reads, its prompt and its tokens before; + `output` for each request whose last token it makes. At its
end every prompt that is complete has its first token, every decoding request one more. A request of n tokens
runs for n - 1 steps after that of its first; one of 0 ends like one of 1.
Blocks are let go when the last token is there, in the order of admission.

At most one running prompt is incomplete, for it uses the budget up: nobody hits what is not yet computed.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from dataclasses import dataclass, field
from math import inf, isfinite, isnan, nan

import numpy as np

from kvtheory.engine.fleet import PrefixIndex
from kvtheory.engine.incidents import NOTHING, Incidents, Pace
from kvtheory.engine.pinned import PinnedCache
from kvtheory.engine.workers import FINISH, FIRST_TOKEN, WAKE, Agenda, Job
from kvtheory.errors import InputError
from kvtheory.facts import Facts
from kvtheory.model import Floats, IntArray, Number
from kvtheory.object_policy import AnyPolicy, reads
from kvtheory.rng import worker_seeds


@dataclass(frozen=True)
class Batching:
    """How a worker batches.

    Args:
        together: requests that run at a time, at most.
        max_batched_tokens: budget of a step: one for each decoding request, the rest for prompts, in what the
            costs are counted in (nodes or tokens); None for no limit.
        step: what a step costs whatever it does, in units of cost.

    Raises:
        InputError: if a number is out of range, or the budget could leave no token for a prompt.
    """

    together: int = 256
    max_batched_tokens: int | None = 8192
    step: Number = 0

    def __post_init__(self) -> None:
        if self.together < 1:
            raise InputError(f"{self.together} requests together: at least one", field="together")
        if not (isfinite(self.step) and self.step >= 0):
            raise InputError(f"a step costs {self.step}: it must be finite, and not negative", field="step")
        if self.max_batched_tokens is not None and self.max_batched_tokens < self.together:
            raise InputError(
                f"{self.max_batched_tokens} tokens a step: at least one for each of {self.together} requests",
                field="max_batched_tokens",
            )


@dataclass(eq=False)
class _Lane:
    """One worker: its queue, its batch, and the steps that it is doing: `count` alike, from `since` on.

    Attributes:
        sent: unfinished requests, in the order in which they were sent, and the service cost of each.
        waiting: those not admitted, and what their prefill was thought to cost when they were sent.
        wanted: nodes on the paths of those waiting, and on how many.
        running: how many prompts are complete and unfinished.
        last: those by the step of their last token, in the order of admission; `due`: a heap of these steps.
        partial, computed: the request whose prompt is incomplete, -1 for none, and how far it is.
        steps: that are done.
        each, extra: cost of the first of the steps; what the last of them costs beyond the others.
        decoding: requests that decode in them.
        read: units that a step's decoding reads.
        growth: by how much each of the steps costs more than the one before.
        ending: requests whose last token the last of them makes.
        next: when the steps end; NaN if nothing is to do.
        owed: cost of what was unfinished at `since`, fixed costs of steps not counted.
        horizon: the last step that a running request is known to need.
    """

    cache: PinnedCache
    pace: Pace | None
    sent: dict[int, float] = field(default_factory=dict)
    waiting: dict[int, float] = field(default_factory=dict)
    wanted: dict[int, int] = field(default_factory=dict)
    running: int = 0
    last: dict[int, list[int]] = field(default_factory=dict)
    due: list[int] = field(default_factory=list)
    partial: int = -1
    computed: int = 0
    steps: int = 0
    since: float = 0.0
    count: int = 0
    each: float = 0.0
    extra: float = 0.0
    decoding: int = 0
    read: int = 0
    growth: float = 0.0
    ending: list[int] = field(default_factory=list)
    next: float = nan
    owed: float = 0.0
    horizon: int = 0

    def end_of(self, count: int) -> float:
        """When the first `count` of the steps are done."""
        return self.after(self.work(count) + (self.extra if count == self.count else 0.0))

    def work(self, count: int) -> float:
        """What the first `count` of the steps cost, but for `extra`."""
        return count * self.each + self.growth * (count * (count - 1) // 2)

    def after(self, work: float) -> float:
        """When `work` that begins with the steps is done."""
        return self.since + work if self.pace is None else self.pace.finish(self.since, work)


class BatchingWorkers:
    """Workers that batch. The arguments are those of :class:`~kvtheory.engine.workers.FifoWorkers`, and:

    Args:
        batching: how; its step in the job's units.
    """

    def __init__(
        self,
        job: Job,
        workers: int,
        capacity: int,
        policy: AnyPolicy,
        agenda: Agenda,
        *,
        batching: Batching,
        seed: int = 0,
        incidents: Incidents = NOTHING,
        first_tokens: bool = False,
    ) -> None:
        self.job, self.agenda, self.first_tokens = job, agenda, first_tokens
        self.tree = job.trace.tree
        self.together, self.step = batching.together, float(batching.step)
        self.budget = inf if batching.max_batched_tokens is None else batching.max_batched_tokens
        blocks = 1 + min(capacity, self.tree.n + self.together)  # more can never be in use
        self.lanes = [
            _Lane(PinnedCache(self.tree, policy, blocks, own), incidents.pace(w))
            for w, own in enumerate(worker_seeds(seed, workers))
        ]
        self.index = PrefixIndex(self.tree, workers)
        self._load = np.zeros(workers)
        self._nodes: list[int] = job.trace.requests.tolist()
        self._facts = Facts.of(job.trace, reads(policy))
        self._length: list[int] = job.length.tolist()
        self._tokens: list[int] = job.tokens.tolist()

    def send(self, worker: int, request: int, now: float) -> None:
        lane, v, rates = self.lanes[worker], self._nodes[request], self.job.rates
        self.job.worker[request] = worker
        hit = int(self.job.above[self.index.serve(worker, v)])
        for u in self.tree.path(v):
            lane.wanted[u] = lane.wanted.get(u, 0) + 1
        length, tokens = self._length[request], self._tokens[request]
        prefill = rates.prefill(hit, length)
        lane.waiting[request] = prefill
        lane.sent[request] = prefill + rates.answer(tokens, length)
        self._load[worker] += lane.sent[request]
        lane.owed += prefill + rates.answer(max(0, tokens - 1), length)
        if isnan(lane.next):
            lane.since = now
            self._plan(worker, now)
        elif lane.count > 1 and len(lane.waiting) == 1 and lane.running < self.together:
            self._interrupt(worker, now)

    def _plan(self, worker: int, time: float) -> None:
        """The next step begins then, when all else of that time has happened."""
        self.lanes[worker].next = time
        self.agenda.add(time, WAKE, worker, -1, last=True)

    def _interrupt(self, worker: int, now: float) -> None:
        """Of several steps alike, only those are done that begin before `now`."""
        lane = self.lanes[worker]
        count = 1 + bisect_left(range(1, lane.count), now, key=lane.end_of)
        if count < lane.count:
            self.job.finish[lane.ending] = nan
            lane.count, lane.extra, lane.ending = count, 0.0, []
            self._plan(worker, lane.end_of(count))

    def wake(self, worker: int, now: float) -> None:
        lane = self.lanes[worker]
        if lane.next != now:
            return  # it was interrupted, or died
        lane.owed -= lane.work(lane.count) - lane.count * self.step + lane.extra
        lane.steps += lane.count
        lane.read += lane.decoding * lane.count
        lane.since, lane.count, lane.extra = now, 0, 0.0
        if lane.due and lane.due[0] == lane.steps:
            for request in lane.last.pop(heapq.heappop(lane.due)):
                lane.running -= 1
                lane.read -= self._length[request] + max(0, self._tokens[request] - 1)
                lane.cache.finish(self._nodes[request])
        if lane.running or lane.waiting or lane.partial >= 0:
            self._begin(worker, now)
        else:
            lane.next, lane.owed = nan, 0.0

    def _begin(self, worker: int, now: float) -> None:
        """A step; or several alike, while nothing but decoding can happen."""
        lane, job = self.lanes[worker], self.job
        work = self.step + job.rates.decode * lane.running + job.rates.context * lane.read
        lane.decoding, lane.growth = lane.running, job.rates.context * lane.running
        left = self.budget - lane.running
        first: list[int] = []
        if lane.partial >= 0:
            cost, left = self._chunk(lane, lane.partial, left, first)
            work += cost
        while left > 0 and lane.waiting and lane.running < self.together:
            request = next(iter(lane.waiting))
            if not self._admit(worker, request, now):
                break
            cost, left = self._chunk(lane, request, left, first)
            work += job.rates.fixed + job.rates.cached * int(job.hit[request]) + cost
        decodes = lane.partial < 0 and not first
        lane.each, lane.count = work, lane.due[0] - lane.steps if decodes else 1
        lane.ending = lane.last.get(lane.steps + lane.count, [])
        lane.extra = job.rates.output * len(lane.ending)
        end = lane.end_of(lane.count)
        job.first[first] = job.finish[lane.ending] = end
        if self.first_tokens:
            for request in first:
                self.agenda.add(end, FIRST_TOKEN, worker, request)
        for request in lane.ending:
            self.agenda.add(end, FINISH, worker, request)
        self._plan(worker, end)

    def _chunk(self, lane: _Lane, request: int, left: float, first: list[int]) -> tuple[float, float]:
        """As much of a prompt as the budget allows: its cost, and what is left of the budget."""
        length, begin = self._length[request], lane.computed
        end = int(min(length, begin + left))
        if end == length:
            first.append(request)
            due = lane.steps + max(1, self._tokens[request])
            if due not in lane.last:
                lane.last[due] = []
                heapq.heappush(lane.due, due)
            lane.last[due].append(request)
            lane.running += 1
            lane.read += length
            lane.partial, lane.horizon = -1, max(lane.horizon, due)
        else:
            lane.partial, lane.computed = request, end
        return self.job.rates.chunk(begin, end), left - (end - begin)

    def _admit(self, worker: int, request: int, now: float) -> bool:
        """The first of the queue joins the batch, if there is room."""
        lane, job = self.lanes[worker], self.job
        admitted = lane.cache.admit(self._nodes[request], self._facts[request])
        if admitted is None:
            return False
        path, wanted = admitted.path, lane.wanted
        for u in path:
            wanted[u] -= 1
            if not wanted[u]:
                del wanted[u]
        self.index.forget(worker, [u for u in admitted.victims if u not in wanted])
        hit = int(job.above[path[admitted.hit - 1]]) if admitted.hit else 0
        job.start[request], job.hit[request], lane.computed = now, hit, hit
        correction = job.rates.prefill(hit, self._length[request]) - lane.waiting.pop(request)
        lane.owed += correction
        lane.sent[request] += correction
        self._load[worker] += correction
        return True

    def done(self, worker: int, request: int) -> None:
        del self.lanes[worker].sent[request]

    def lose(self, worker: int, now: float) -> list[int]:
        lane, job = self.lanes[worker], self.job
        lost = list(lane.sent)
        self._load[worker] -= sum(lane.sent.values())
        job.start[lost] = job.first[lost] = job.finish[lost] = nan
        lane.cache.clear()
        self.index.clear(worker)
        self.lanes[worker] = _Lane(lane.cache, lane.pace)
        return lost

    def match(self, v: int) -> IntArray:
        """As for workers that serve one at a time: what is cached or runs, and what waits."""
        return self.index.match(v)

    def backlog(self, now: float) -> Floats:
        """An estimate: nobody else comes, and prompts that wait hit what they would hit now.

        Fixed costs of steps are counted as far as those who run need them.
        """
        ends = [lane.after(lane.owed + self.step * max(0, lane.horizon - lane.steps)) for lane in self.lanes]
        return np.maximum(np.array(ends) - now, 0.0)

    def costs_of(self, request: int) -> Floats:
        return self.job.costs_at(request, self.match(self._nodes[request]))

    @property
    def load(self) -> Floats:
        """Those that wait count with the hit that was expected when they were sent."""
        return self._load
