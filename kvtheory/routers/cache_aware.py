"""SGLang's router."""

from __future__ import annotations

import numpy as np

from kvtheory.books import index_of, least, require
from kvtheory.router import Arrival, Router, View


class CacheAware(Router):
    """Where most of the prompt was sent, unless loads are far apart: SGLang's router. [Zheng2024]_ [Wu2026]_

    Load is the number of outstanding requests. Where the largest exceeds the smallest by more than
    `absolute`, and by more than the factor `relative`, the least loaded worker is chosen. Else the worker
    with the longest match, if that is more than `threshold` of the prompt; else the worker whose tree of what
    it was sent is smallest. Constants as in SGLang's documentation of the router and in [Wu2026]_.

    The real router matches characters, not blocks, and cuts its trees to 2**24 characters by LRU once a
    minute; here trees are not cut.

    Args:
        view: the cluster.
        threshold: matched share of the prompt that must be exceeded.
        absolute, relative: of the imbalance that must be exceeded.
    """

    name = "cache_aware"
    source = "Zheng2024 Wu2026"

    def __init__(
        self, view: View, *, threshold: float = 0.5, absolute: int = 32, relative: float = 1.0001
    ) -> None:
        require(0 <= threshold <= 1, "cache_aware", "threshold", f"{threshold} is not in 0..1")
        super().__init__(view)
        self.threshold, self.absolute, self.relative = threshold, absolute, relative
        self.index = index_of(view, "seen")
        self.size = np.zeros(view.workers, np.int64)

    def choose(self, arrival: Arrival) -> int:
        view = self.view
        loads = self.outstanding[view.up]
        low, high = int(loads.min()), int(loads.max())
        if high - low > self.absolute and high > self.relative * low:
            return self.lowest(self.outstanding)
        matched = view.above[self.index.match(arrival.node)]
        best = int(least(view.up, -matched)[0])
        if matched[best] > self.threshold * arrival.length:
            return best
        return self.lowest(self.size)

    def on_dispatch(self, arrival: Arrival, worker: int) -> None:
        super().on_dispatch(arrival, worker)
        above = self.view.above
        self.size[worker] += above[arrival.node] - above[self.index.serve(worker, arrival.node)]

    def on_down(self, worker: int, lost: list[int], now: float) -> None:
        super().on_down(worker, lost, now)
        self.index.clear(worker)
        self.size[worker] = 0
