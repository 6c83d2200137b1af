"""LMetric: two numbers, multiplied."""

from __future__ import annotations

from kvtheory.books import Index, Ledger, index_of
from kvtheory.router import Arrival, Completion, Router, View


class LMetric(Router):
    """Least product of pending prefill and batch size, both with the request. [Zhang2026]_

    Pending prefill: what requests without a first token miss, in nodes or tokens, and what this one would;
    batch size: outstanding requests and this one. The product needs no weights.

    Reconstruction from the paper's abstract: the request counts in the batch, so that idle workers still
    differ by what they hold, and misses are a guess from own dispatches.

    Args:
        view: the cluster.
        index: `believed` forgets as a leaf-LRU cache does; `seen` forgets nothing.
    """

    name = "lmetric"
    source = "Zhang2026"
    watches_first_tokens = True

    def __init__(self, view: View, *, index: Index = "believed") -> None:
        super().__init__(view)
        self.index = index_of(view, index)
        self.prefill = Ledger(view.workers)

    def choose(self, arrival: Arrival) -> int:
        missed = arrival.length - self.view.above[self.index.match(arrival.node)]
        return self.lowest((self.prefill.total + missed) * (self.outstanding + 1))

    def on_dispatch(self, arrival: Arrival, worker: int) -> None:
        super().on_dispatch(arrival, worker)
        hit = int(self.view.above[self.index.serve(worker, arrival.node)])
        self.prefill.add(arrival.request, worker, arrival.length - hit)

    def on_first_token(self, request: int, worker: int, now: float) -> None:
        self.prefill.remove(request)

    def on_finish(self, done: Completion) -> None:
        super().on_finish(done)
        self.prefill.remove(done.request)

    def on_down(self, worker: int, lost: list[int], now: float) -> None:
        super().on_down(worker, lost, now)
        self.prefill.lose(lost)
        self.index.clear(worker)
