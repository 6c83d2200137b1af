"""Learning-Based Greedy Routing."""

from __future__ import annotations

from typing import Literal

import numpy as np

from kvtheory._numba import njit
from kvtheory.books import Index, index_of
from kvtheory.model import Floats, IntArray, LongArray
from kvtheory.router import Arrival, Completion, Router, View

TICK = 20.0  # milliseconds between two decays of the load
KEPT = 31 / 32  # of the load, at each
FORGETTING, FIRST_COVARIANCE = 0.95, 1e6


@njit
def cheapest(
    found: IntArray,
    above: LongArray,
    length: int,
    slopes: Floats,
    floor: float,
    load: Floats,
    residual: Floats,
    up: np.ndarray,
    base: Floats,
) -> int:
    """The worker of least predicted latency; `base` is filled with the predicted service times."""
    best, least = -1, np.inf
    for w in range(found.size):
        cached = above[found[w]]
        base[w] = max(floor, slopes[0] + slopes[1] * cached + slopes[2] * (length - cached))
        predicted = base[w] + load[w] + residual[w]
        if up[w] and predicted < least:
            best, least = w, predicted
    return best


class LBGR(Router):
    """Least predicted latency: service by own index, load that decays, a learned residual. [Wu2026]_

    Predicted latency = base + load + residual. Base is linear in the cached and uncached units that an index
    of own dispatches promises, at least 1 ms; the index learns of a prompt when it is sent and again when it
    is done. Each dispatch adds its base to the worker's load, which decays by 31/32 every 20 ms; a completion
    takes what is left of its share away. The residual is recursive least squares (forgetting 0.95, first
    covariance 1e6) of what latencies exceeded base + load by, at least 1 ms; by default only its constant is
    learned. Published defaults: 1 ms for an uncached unit, cached units free.

    Args:
        view: the cluster.
        affinity: count cached units as cached; off, every unit is uncached.
        load, decay, residual: each term of the prediction.
        features: what the residual is linear in: a constant, or also cached, uncached and load.
        index: `seen` forgets nothing; `believed` forgets as a leaf-LRU cache does.
        slope_cached, slope_uncached: ms of a unit. intercept: ms.
    """

    name = "lbgr"
    source = "Wu2026"

    def __init__(
        self,
        view: View,
        *,
        affinity: bool = True,
        load: bool = True,
        decay: bool = True,
        residual: bool = True,
        features: Literal["bias", "all"] = "bias",
        index: Index = "seen",
        slope_cached: float = 0.0,
        slope_uncached: float = 1.0,
        intercept: float = 0.0,
    ) -> None:
        super().__init__(view)
        self.index = index_of(view, index)
        self.millisecond = view.millisecond
        cached = slope_cached if affinity else slope_uncached
        self.slopes = np.array([intercept, cached, slope_uncached]) * self.millisecond
        self.use_load, self.use_decay, self.use_residual = load, decay, residual
        self.size = 4 if features == "all" else 1
        self.load = np.zeros(view.workers)
        self.residual = np.zeros(view.workers)
        self.theta = np.zeros((view.workers, self.size))
        self.covariance = np.tile(np.eye(self.size) * FIRST_COVARIANCE, (view.workers, 1, 1))
        self.base = np.zeros(view.workers)
        self.tick = 0  # of the clock
        self.ticks = 0  # that have passed
        self.sent: dict[int, tuple[int, float, float, int, Floats | None]] = {}

    def holdings(self, arrival: Arrival) -> IntArray:
        """Deepest node of the prompt that each worker is thought to hold."""
        return self.index.match(arrival.node)

    def choose(self, arrival: Arrival) -> int:
        self._decay(arrival.now)
        found = self.holdings(arrival)
        if self.size > 1:
            self._predict_residuals(arrival, found)
        view = self.view
        return cheapest(
            found,
            view.above,
            arrival.length,
            self.slopes,
            self.millisecond,
            self.load,
            self.residual,
            view.up,
            self.base,
        )

    def on_dispatch(self, arrival: Arrival, worker: int) -> None:
        super().on_dispatch(arrival, worker)
        row = None
        if self.size > 1:
            row = self._features(arrival, self.holdings(arrival))[:, worker]
        base = float(self.base[worker])
        predicted = base + float(self.load[worker])
        self.sent[arrival.request] = (arrival.node, base, predicted, self.ticks, row)
        if self.use_load:
            self.load[worker] += base
        self.index.serve(worker, arrival.node)

    def on_finish(self, done: Completion) -> None:
        super().on_finish(done)
        node, base, predicted, ticks, row = self.sent.pop(done.request)
        self._decay(done.now)
        w = done.worker
        if self.use_load:
            left = base * KEPT ** (self.ticks - ticks) if self.use_decay else base
            self.load[w] = max(0.0, self.load[w] - left)
        if self.use_residual:
            self._learn(w, max(self.millisecond, done.latency - predicted), row)
        self.index.serve(w, node)

    def on_down(self, worker: int, lost: list[int], now: float) -> None:
        super().on_down(worker, lost, now)
        self.load[worker] = self.residual[worker] = self.theta[worker] = 0.0
        self.covariance[worker] = np.eye(self.size) * FIRST_COVARIANCE
        self.index.clear(worker)
        for request in lost:
            del self.sent[request]

    def _decay(self, now: float) -> None:
        tick = int(now / (TICK * self.millisecond))
        passed, self.tick = max(0, tick - self.tick), tick  # a clock that is set back decays nothing
        self.ticks += passed
        if passed and self.use_decay:
            self.load *= KEPT**passed

    def _features(self, arrival: Arrival, found: IntArray) -> Floats:
        """What the residual is linear in, shape (4, workers)."""
        cached = self.view.above[found]
        return np.array([np.ones(cached.size), cached, arrival.length - cached, self.load])

    def _predict_residuals(self, arrival: Arrival, found: IntArray) -> None:
        self.residual = (self.theta.T * self._features(arrival, found)).sum(axis=0)

    def _learn(self, w: int, target: float, row: Floats | None) -> None:
        """One step of recursive least squares with forgetting."""
        if row is None:
            p = self.covariance[w, 0, 0]
            gain = p / (FORGETTING + p)
            self.residual[w] += gain * (target - self.residual[w])
            self.covariance[w, 0, 0] = (p - gain * p) / FORGETTING
            return
        spread = self.covariance[w] @ row
        step = spread / (FORGETTING + row @ spread)
        self.theta[w] += step * (target - self.theta[w] @ row)
        self.covariance[w] = (self.covariance[w] - np.outer(step, spread)) / FORGETTING
