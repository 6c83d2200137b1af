"""Preble's E2: exploit what is cached, or explore where it is cheap."""

from __future__ import annotations

from collections import deque

import numpy as np

from kvtheory.books import index_of, least, require
from kvtheory.engine.workers import Rates
from kvtheory.model import Floats, LongArray
from kvtheory.router import Arrival, Router, View

WINDOW = 180_000.0  # milliseconds: three minutes


class Preble(Router):
    """Exploit a prefix that is most of the prompt, else explore where load, eviction and prefill cost least.

    E2 [Srivatsa2025]_. Where the longest match is more than what it leaves to compute, the least loaded of
    the workers that have it is chosen; if it is the most loaded of all, by more than `imbalance` times the
    least loaded, the least loaded takes its place. Else the worker of least load + eviction + prefill:

    - load: service of what was sent there in the last `window` ms;
    - eviction: what evicted blocks saved the requests of that window, each block by the share that used it;
    - prefill: of what is missing there.

    Reconstruction: costs are the operator's model in the place of a profile, answers of unknown length count
    as their fixed part; each evicted block is charged the mean over the blocks that the worker is believed to
    hold (leaf-LRU), not its own; the default of `imbalance` is ours. Left out: growing the number of workers
    for one prefix, and the order of queues inside a worker.

    Args:
        view: the cluster.
        window: ms of history.
        imbalance: most to least load at which exploiting stops.
    """

    name = "preble"
    source = "Srivatsa2025"

    def __init__(self, view: View, *, window: float = WINDOW, imbalance: float = 2.0) -> None:
        require(window > 0, "preble", "window", f"{window}: a window is longer than 0")
        require(imbalance >= 1, "preble", "imbalance", f"{imbalance} is below 1")
        super().__init__(view)
        self.index = index_of(view, "believed")
        self.rates = Rates.of(view.costs)
        self.window, self.imbalance = window * view.millisecond, imbalance
        self.load: Floats = np.zeros(view.workers)  # service in the window
        self.whole: Floats = np.zeros(
            view.workers
        )  # prefill of the window's prompts, had nothing been cached
        self.count: LongArray = np.zeros(view.workers, np.int64)
        self.held: LongArray = np.zeros(view.workers, np.int64)  # blocks in the believed cache
        self.history: deque[tuple[float, int, float, float]] = deque()

    def choose(self, arrival: Arrival) -> int:
        self._forget(arrival.now)
        view, up = self.view, self.view.up
        found = self.index.match(arrival.node)
        cached = view.above[found]
        longest = int(cached[up].max())
        if longest > arrival.length - longest:
            best = int(least(up & (cached == longest), self.load)[0])
            lightest = self.lowest(self.load)
            heavy = self.load[best] == self.load[up].max()
            if heavy and self.load[best] > self.imbalance * self.load[lightest]:
                return lightest
            return best
        depth = view.tree.depth
        over = np.maximum(self.held + depth[arrival.node] - depth[found] - view.capacity, 0)
        worth = self.whole / np.maximum(self.held * self.count, 1)
        prefill = self.rates.prefill(cached, arrival.length)
        return self.lowest(self.load + over * worth + prefill)

    def on_dispatch(self, arrival: Arrival, worker: int) -> None:
        super().on_dispatch(arrival, worker)
        depth, rates = self.view.tree.depth, self.rates
        hit = self.index.serve(worker, arrival.node)
        self.held[worker] = min(self.view.capacity, int(self.held[worker] + depth[arrival.node] - depth[hit]))
        work = float(rates.prefill(int(self.view.above[hit]), arrival.length) + rates.output)
        whole = float(rates.prefill(0, arrival.length))
        self.history.append((arrival.now, worker, work, whole))
        self.load[worker] += work
        self.whole[worker] += whole
        self.count[worker] += 1

    def on_down(self, worker: int, lost: list[int], now: float) -> None:
        super().on_down(worker, lost, now)
        self.index.clear(worker)
        self.history = deque(sent for sent in self.history if sent[1] != worker)
        self.load[worker] = self.whole[worker] = 0.0
        self.count[worker] = self.held[worker] = 0

    def _forget(self, now: float) -> None:
        """What has left the window; a clock that is set back keeps it for longer."""
        history = self.history
        while history and history[0][0] <= now - self.window:
            _, worker, work, whole = history.popleft()
            self.count[worker] -= 1
            left = self.count[worker] > 0
            self.load[worker] = self.load[worker] - work if left else 0.0
            self.whole[worker] = self.whole[worker] - whole if left else 0.0
