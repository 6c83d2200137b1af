"""Least work that is not yet done, by own estimate."""

from __future__ import annotations

from kvtheory.books import Index, Ledger, index_of
from kvtheory.engine.workers import Rates
from kvtheory.router import Arrival, Completion, Router, View


class JoinShortestQueue(Router):
    """The worker with the least outstanding work, by the router's own estimate of it. [HarcholBalter1999]_

    Join the shortest queue, counted in work. A request stands for its prefill by the operator's cost model,
    with what an index of own dispatches promises to be cached, until it is completed; how long its answer
    will be is not known. What the request itself would cost is not asked: that is :doc:`lbgr`.

    Args:
        view: the cluster.
        index: `seen` forgets nothing; `believed` forgets as a leaf-LRU cache does.
    """

    name = "jsq"
    source = "HarcholBalter1999"

    def __init__(self, view: View, *, index: Index = "believed") -> None:
        super().__init__(view)
        self.index = index_of(view, index)
        self.rates = Rates.of(view.costs)
        self.work = Ledger(view.workers)

    def choose(self, arrival: Arrival) -> int:
        return self.lowest(self.work.total)

    def on_dispatch(self, arrival: Arrival, worker: int) -> None:
        super().on_dispatch(arrival, worker)
        hit = int(self.view.above[self.index.serve(worker, arrival.node)])
        self.work.add(arrival.request, worker, self.rates.prefill(hit, arrival.length) + self.rates.output)

    def on_finish(self, done: Completion) -> None:
        super().on_finish(done)
        self.work.remove(done.request)

    def on_down(self, worker: int, lost: list[int], now: float) -> None:
        super().on_down(worker, lost, now)
        self.work.lose(lost)
        self.index.clear(worker)
