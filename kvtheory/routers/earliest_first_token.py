"""Earliest predicted first token, with a price on work that a cache would have saved."""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from kvtheory._numba import njit
from kvtheory.books import index_of
from kvtheory.engine.workers import Rates
from kvtheory.errors import InputError
from kvtheory.model import Floats, IntArray, LongArray
from kvtheory.router import Arrival, Completion, Router, View

KEPT = 0.98  # of what is known about a worker's pace, at each completion
STALL = 4.0  # times its prediction: a longer prefill is a stall or a clock that jumped, not a pace
FRESH = 0.02  # price of overwriting a cache that was written to as much as the others, times a miss's time
RECENT = 1000  # requests that the mean service is taken over
EDGES = np.append(0.0, 2.0 ** (np.arange(81) / 4))  # tokens of an answer


@njit
def price(
    found: IntArray,
    above: LongArray,
    length: int,
    rates: tuple[float, float, float, float],
    pace: Floats,
    wait: Floats,
    written: Floats,
    thrift: float,
    prefill: Floats,
) -> Floats:
    """Time to the first token at each worker, and the price of its work; `prefill` is filled, at pace 1."""
    fixed, cached, miss, attention = rates
    score = np.empty(found.size)
    mean = max(written.mean(), 1.0)
    for w in range(found.size):
        hit = above[found[w]]
        missed = miss * (length - hit) + attention * (length * length - hit * hit)
        prefill[w] = fixed + cached * hit + missed
        score[w] = wait[w] + (pace[w] + thrift) * prefill[w] + FRESH * missed * written[w] / mean
    return score


class Answers:
    """How long answers are, and how long one that has not ended will last: the mean of the longer ones."""

    def __init__(self) -> None:
        self.count = np.zeros(EDGES.size)
        self.total = np.zeros(EDGES.size)
        self.mean = 0.0
        self.of_longer = EDGES.copy()

    def learn(self, tokens: float) -> None:
        """An answer has ended."""
        longer = np.searchsorted(EDGES, tokens, side="right")
        self.count[:longer] += 1
        self.total[:longer] += tokens
        known = self.count > 0
        self.of_longer[known] = self.total[known] / self.count[known]
        self.mean = float(self.of_longer[0])

    def left(self, so_far: Floats) -> Floats:
        """Tokens still to come, of answers that have lasted so many tokens."""
        edge = np.searchsorted(EDGES[:-1], so_far, side="right")
        return np.maximum(self.of_longer[edge] - so_far, 0.0)


class EarliestFirstToken(Router):
    """Earliest predicted first token, own work counted to the end, with a price on work. [Graham1966]_

    Wait + margin + prefill + price.

    - Wait: predicted service of what the worker was sent and has not begun, and what is left of what it
      serves: of a prefill, by the clock; of an answer, by how long answers of that age went on.
    - Margin: at a worker that is not idle, `margin` times the mean service, since its wait is a guess.
    - Prefill: by the operator's cost model and an index of own dispatches that forgets as a leaf-LRU cache.
    - Price of work: work that a hit would have saved delays those who come later. Prefill counts once more
      `thrift` times where no worker is idle, `idle_thrift` times where one is. And a little for what was
      lately written to the worker's cache, so that of equals the one is chosen that overwrites the oldest.

    The length of answers and the pace of each worker are learned.

    Args:
        view: the cluster.
        thrift: price of work while no worker is idle, times its time.
        idle_thrift: the same while one is.
        margin: what a busy worker's wait is thought to be longer, in mean services.
        learn: the workers' paces; off, all are as the cost model says.
    """

    name = "earliest_first_token"
    source = "Graham1966"
    watches_first_tokens = True

    def __init__(
        self,
        view: View,
        *,
        thrift: float = 3.0,
        idle_thrift: float = 0.5,
        margin: float = 1.0,
        learn: bool = True,
    ) -> None:
        for option, value in (("thrift", thrift), ("idle_thrift", idle_thrift), ("margin", margin)):
            if not 0 <= value < math.inf:
                raise InputError(f"{value} is not between 0 and infinity", field=f"{self.name}: {option}")
        super().__init__(view)
        self.index = index_of(view, "believed")
        self.rates = rates = Rates.of(view.costs)
        self.per_unit = (rates.fixed, rates.cached, rates.miss, rates.attention)
        self.thrift, self.idle_thrift, self.margin, self.learn = thrift, idle_thrift, margin, learn
        self.requests, self.service = 0, 0.0  # how many; their mean service, as predicted
        self.answers = Answers()
        workers = view.workers
        self.prefill = np.zeros(workers)
        self.written = np.zeros(workers)  # nodes, forgotten at the pace at which all caches are overwritten
        self.turnover = float(workers * view.capacity)
        self.sent: dict[int, tuple[float, float, int]] = {}  # prefill, one token of the answer, length
        self.took: dict[int, float] = {}  # prefills that are over
        self.queue: list[deque[int]] = [deque() for _ in range(workers)]  # without a first token
        self.queued, self.tokens = np.zeros(workers), np.zeros(workers)  # their service; one token of each
        self.head = np.zeros(workers)  # prefill of the first of them
        self.answering = np.full(workers, -1)
        self.token = np.zeros(workers)  # one token of the answer that the worker gives
        self.since = np.zeros(workers)  # when it began that prefill or that answer
        self.pace, self.taken, self.expected = np.ones(workers), np.zeros(workers), np.zeros(workers)

    def wait(self, now: float) -> Floats:
        """Predicted time until each worker has done what it was sent; shape (workers,)."""
        passed = np.maximum(now - self.since, 0.0) / self.pace
        fixed = self.rates.output
        answer = np.maximum(fixed - passed, 0.0)
        token = np.maximum(self.token, 1e-300)  # where it takes no time, none is left
        answer += self.answers.left(np.maximum(passed - fixed, 0.0) / token) * self.token
        left = np.where(self.answering >= 0, answer, -np.minimum(passed, self.head))
        due: Floats = self.pace * (left + self.queued + self.tokens * self.answers.mean)
        return np.maximum(due, 0.0)

    def choose(self, arrival: Arrival) -> int:
        busy = self.outstanding > 0
        score = price(
            self.index.match(arrival.node),
            self.view.above,
            arrival.length,
            self.per_unit,
            self.pace,
            self.wait(arrival.now) + self.margin * self.service * busy,
            self.written,
            self.thrift if busy[self.view.up].all() else self.idle_thrift,
            self.prefill,
        )
        return self.lowest(score)

    def on_dispatch(self, arrival: Arrival, worker: int) -> None:
        if not self.outstanding[worker]:
            self.since[worker] = arrival.now
        super().on_dispatch(arrival, worker)
        rates, depth, prefill = self.rates, self.view.tree.depth, float(self.prefill[worker])
        missed = int(depth[arrival.node] - depth[self.index.serve(worker, arrival.node)])
        self.written *= max(0.0, 1.0 - missed / self.turnover)
        self.written[worker] += missed
        token = rates.decode + rates.context * arrival.length
        self.sent[arrival.request] = (prefill, token, arrival.length)
        if not self.queue[worker]:
            self.head[worker] = prefill
        self.queue[worker].append(arrival.request)
        self.queued[worker] += prefill + rates.output
        self.tokens[worker] += token
        service = prefill + rates.output + token * self.answers.mean
        self.requests += 1
        self.service += (service - self.service) / min(self.requests, RECENT)

    def on_first_token(self, request: int, worker: int, now: float) -> None:
        prefill, token, _ = self.sent[request]
        queue = self.queue[worker]
        queue.remove(request)
        self.queued[worker] = self.queued[worker] - prefill - self.rates.output if queue else 0.0
        self.tokens[worker] = self.tokens[worker] - token if queue else 0.0
        self.took[request] = now - self.since[worker]
        self.answering[worker], self.token[worker] = request, token
        self._next(worker, now)

    def on_finish(self, done: Completion) -> None:
        super().on_finish(done)
        w, rates = done.worker, self.rates
        _, token, length = self.sent.pop(done.request)
        took = self.took.pop(done.request)
        if self.answering[w] == done.request:
            self.answering[w] = -1
            self._next(w, done.now)
        if token:
            self.answers.learn(max(0.0, (done.latency - done.ttft) / self.pace[w] - rates.output) / token)
        if self.learn:
            self._learn_pace(w, took, float(rates.prefill(done.hit, length)))

    def on_down(self, worker: int, lost: list[int], now: float) -> None:
        super().on_down(worker, lost, now)
        self.index.clear(worker)
        self.queue[worker].clear()
        for array in (self.queued, self.tokens, self.written, self.taken, self.expected):
            array[worker] = 0.0
        self.answering[worker], self.pace[worker] = -1, 1.0
        for request in lost:
            del self.sent[request]
            self.took.pop(request, None)

    def _next(self, worker: int, now: float) -> None:
        """The worker begins something else."""
        self.since[worker] = now
        queue = self.queue[worker]
        self.head[worker] = self.sent[queue[0]][0] if queue else 0.0

    def _learn_pace(self, w: int, took: float, expected: float) -> None:
        """Time taken over time expected, as the quotient of two sums that forget."""
        self.taken[w] = self.taken[w] * KEPT + min(max(took, 0.0), STALL * expected)
        self.expected[w] = self.expected[w] * KEPT + expected
        if self.taken[w] > 0.0:
            self.pace[w] = self.taken[w] / self.expected[w]
