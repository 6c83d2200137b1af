"""llm-d's weighted scorers."""

from __future__ import annotations

import numpy as np

from kvtheory.books import ActiveBlocks, Index, Ledger, index_of, least, require
from kvtheory.rng import SplitMix64
from kvtheory.router import Arrival, Completion, Router, View


class LLMD(Router):
    """Largest weighted sum of prefix, queue and cache scores, each from 0 to 1: llm-d's scorers. [LLMD]_

    - prefix: share of the prompt's blocks that the worker was sent and is believed to keep;
    - queue: 1 for the fewest requests that wait, 0 for the most, linear between; 1 where all are equal;
    - cache: 1 less the share of its blocks that running requests use.

    Of equals one is drawn. Weights as in the project's configuration of prefix, queue and cache: 3, 2, 2. The
    real scheduler reads queues and use from the engines' metrics; here a request waits until its first token,
    and blocks are those of the router's own outstanding requests, answers not counted.

    Args:
        view: the cluster.
        prefix, queue, cache: weights of the scores.
        index: `believed` forgets as a leaf-LRU cache does; `seen` forgets nothing.
    """

    name = "llmd"
    source = "LLMD"
    draws = True
    watches_first_tokens = True

    def __init__(
        self,
        view: View,
        *,
        prefix: float = 3.0,
        queue: float = 2.0,
        cache: float = 2.0,
        index: Index = "believed",
    ) -> None:
        for option, weight in (("prefix", prefix), ("queue", queue), ("cache", cache)):
            require(weight >= 0, "llmd", option, f"{weight} is below 0")
        super().__init__(view)
        self.prefix, self.queue, self.cache = prefix, queue, cache
        self.index = index_of(view, index)
        self.waiting = Ledger(view.workers)
        self.active = ActiveBlocks(view.tree, view.workers)
        self.stream = SplitMix64(view.seed)

    def choose(self, arrival: Arrival) -> int:
        view, depth = self.view, self.view.tree.depth
        whole = max(1, int(depth[arrival.node]))
        matched = depth[self.index.match(arrival.node)] / whole
        waiting = self.waiting.count
        low, high = int(waiting[view.up].min()), int(waiting[view.up].max())
        short = (high - waiting) / (high - low) if high > low else np.ones(view.workers)
        free = 1 - np.minimum(1, self.active.count / view.capacity)
        score = self.prefix * matched + self.queue * short + self.cache * free
        equals = least(view.up, -score)
        return int(equals[self.stream.below(equals.size)] if equals.size > 1 else equals[0])

    def on_dispatch(self, arrival: Arrival, worker: int) -> None:
        super().on_dispatch(arrival, worker)
        self.index.serve(worker, arrival.node)
        self.waiting.add(arrival.request, worker, 1)
        self.active.add(arrival.request, worker, arrival.node)

    def on_first_token(self, request: int, worker: int, now: float) -> None:
        self.waiting.remove(request)

    def on_finish(self, done: Completion) -> None:
        super().on_finish(done)
        self.waiting.remove(done.request)
        self.active.remove(done.request)

    def on_down(self, worker: int, lost: list[int], now: float) -> None:
        super().on_down(worker, lost, now)
        self.waiting.lose(lost)
        for request in lost:
            self.active.remove(request)
        self.index.clear(worker)
