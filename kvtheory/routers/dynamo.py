"""NVIDIA Dynamo's KV router."""

from __future__ import annotations

import numpy as np

from kvtheory.books import ActiveBlocks, Index, Ledger, index_of, least, require
from kvtheory.model import Floats, LongArray
from kvtheory.rng import SplitMix64
from kvtheory.router import Arrival, Completion, Router, View


class Dynamo(Router):
    """Least weight x prefill blocks + active blocks, each with the request: NVIDIA Dynamo's router. [Dynamo]_

    Prefill blocks: those that requests without a first token miss, by the index, and what this one would.
    Active blocks: those that running requests use there, each counted once, and what this one would add. Of
    equals the worker with the fewest blocks in the index, then one drawn. Above temperature 0 the worker is
    drawn with probability proportional to exp(-cost / (temperature x spread)), spread = largest less smallest
    cost. Defaults as published: weight 1, temperature 0.

    The real router is told by the engines what they store and drop; here the index is a guess, as it is there
    without these events. Blocks are nodes; what answers add to them is not known.

    Args:
        view: the cluster.
        weight: of prefill blocks.
        temperature: of the draw.
        index: `believed` forgets as a leaf-LRU cache does; `seen` forgets nothing.
    """

    name = "dynamo"
    source = "Dynamo"
    draws = True
    watches_first_tokens = True

    def __init__(
        self, view: View, *, weight: float = 1.0, temperature: float = 0.0, index: Index = "believed"
    ) -> None:
        require(weight >= 0, "dynamo", "weight", f"{weight} is below 0")
        require(temperature >= 0, "dynamo", "temperature", f"{temperature} is below 0")
        super().__init__(view)
        self.weight, self.temperature = weight, temperature
        self.index = index_of(view, index)
        self.forgets = index == "believed"
        self.size: LongArray = np.zeros(view.workers, np.int64)
        self.prefill = Ledger(view.workers)
        self.active = ActiveBlocks(view.tree, view.workers)
        self.stream = SplitMix64(view.seed)

    def costs(self, arrival: Arrival) -> Floats:
        """What the rule weighs, shape (workers,)."""
        depth = self.view.tree.depth
        missed = depth[arrival.node] - depth[self.index.match(arrival.node)]
        cost: Floats = self.weight * (self.prefill.total + missed)
        return cost + self.active.count + self.active.new(arrival.node)

    def choose(self, arrival: Arrival) -> int:
        cost, up = self.costs(arrival), self.view.up
        if not self.temperature:
            equals = least(up, cost, self.size)
            return int(equals[self.stream.below(equals.size)] if equals.size > 1 else equals[0])
        workers = np.flatnonzero(up)
        cost = cost[workers] - cost[workers].min()
        spread = float(cost.max()) or 1.0
        running = np.cumsum(np.exp(-cost / (spread * self.temperature)))
        drawn = self.stream.next() / 2**64 * running[-1]
        return int(workers[min(int(np.searchsorted(running, drawn, side="right")), workers.size - 1)])

    def on_dispatch(self, arrival: Arrival, worker: int) -> None:
        super().on_dispatch(arrival, worker)
        depth = self.view.tree.depth
        missed = int(depth[arrival.node] - depth[self.index.serve(worker, arrival.node)])
        self.size[worker] += missed
        if self.forgets:
            self.size[worker] = min(int(self.size[worker]), self.view.capacity)
        self.prefill.add(arrival.request, worker, missed)
        self.active.add(arrival.request, worker, arrival.node)

    def on_first_token(self, request: int, worker: int, now: float) -> None:
        self.prefill.remove(request)

    def on_finish(self, done: Completion) -> None:
        super().on_finish(done)
        self.prefill.remove(done.request)
        self.active.remove(done.request)

    def on_down(self, worker: int, lost: list[int], now: float) -> None:
        super().on_down(worker, lost, now)
        self.prefill.lose(lost)
        for request in lost:
            self.active.remove(request)
        self.index.clear(worker)
        self.size[worker] = 0
