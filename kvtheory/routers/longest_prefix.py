"""Affinity alone."""

from __future__ import annotations

from kvtheory.books import Index, index_of, least
from kvtheory.router import Arrival, Router, View


class LongestPrefix(Router):
    """The worker that was sent the longest prefix of the prompt, the less busy of equals. [Zheng2024]_

    Affinity alone: requests that share a prefix all go to one worker, however busy it is, and the others may
    stand idle. Equals are told apart by their outstanding requests.

    Args:
        view: the cluster.
        index: `seen` forgets nothing; `believed` forgets as a leaf-LRU cache does.
    """

    name = "longest_prefix"
    source = "Zheng2024"

    def __init__(self, view: View, *, index: Index = "seen") -> None:
        super().__init__(view)
        self.index = index_of(view, index)

    def choose(self, arrival: Arrival) -> int:
        view = self.view
        missed = -view.above[self.index.match(arrival.node)]
        return int(least(view.up, missed, self.outstanding)[0])

    def on_dispatch(self, arrival: Arrival, worker: int) -> None:
        super().on_dispatch(arrival, worker)
        self.index.serve(worker, arrival.node)

    def on_down(self, worker: int, lost: list[int], now: float) -> None:
        super().on_down(worker, lost, now)
        self.index.clear(worker)
