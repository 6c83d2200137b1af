"""SkyLB: affinity among the workers that nothing waits for."""

from __future__ import annotations

from typing import Literal

from kvtheory.books import Index, Ledger, Ring, index_of, least, require
from kvtheory.router import Arrival, Completion, Router, View


class SkyLB(Router):
    """Affinity among the workers that have no request pending: selective pushing. [Xia2026]_

    A worker is available while fewer than `pending` of its requests wait for their first token. Among those
    that are, `tree` takes the longest match of an index of own dispatches, the less busy of equals, and
    `hash` the first clockwise from the hash of the conversation.

    Reconstruction for one region. The published balancer keeps a request back, or hands it to another region,
    while no worker is available; here it must be sent at once: to a worker with the fewest pending requests,
    by the same affinity.

    Args:
        view: the cluster.
        by: where affinity comes from.
        pending: requests without a first token at which a worker stops to be available.
        points: of each worker on the ring.
        index: `believed` forgets as a leaf-LRU cache does; `seen` forgets nothing.
    """

    name = "skylb"
    source = "Xia2026"
    watches_first_tokens = True

    def __init__(
        self,
        view: View,
        *,
        by: Literal["tree", "hash"] = "tree",
        pending: int = 1,
        points: int = 100,
        index: Index = "seen",
    ) -> None:
        require(pending >= 1, "skylb", "pending", f"{pending}: no worker would ever be available")
        require(1 <= points <= 10_000, "skylb", "points", f"{points} is not in 1..10000")
        super().__init__(view)
        self.limit = pending
        self.ring = Ring(view.workers, points) if by == "hash" else None
        self.index = index_of(view, index)
        self.pending = Ledger(view.workers)

    def choose(self, arrival: Arrival) -> int:
        up, pending = self.view.up, self.pending.count
        allowed = up & (pending < self.limit)
        if not allowed.any():
            allowed = up & (pending == pending[up].min())
        if self.ring:
            return self.ring.owner(arrival.session, allowed)
        matched = self.view.above[self.index.match(arrival.node)]
        return int(least(allowed, -matched, self.outstanding)[0])

    def on_dispatch(self, arrival: Arrival, worker: int) -> None:
        super().on_dispatch(arrival, worker)
        self.pending.add(arrival.request, worker, 1)
        self.index.serve(worker, arrival.node)

    def on_first_token(self, request: int, worker: int, now: float) -> None:
        self.pending.remove(request)

    def on_finish(self, done: Completion) -> None:
        super().on_finish(done)
        self.pending.remove(done.request)

    def on_down(self, worker: int, lost: list[int], now: float) -> None:
        super().on_down(worker, lost, now)
        self.pending.lose(lost)
        self.index.clear(worker)
