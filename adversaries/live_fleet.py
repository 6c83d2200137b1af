"""A router and the caches behind it, served one prompt at a time: what an adversary can look into.

All requests come at time 0, so the router sees no completion. Replayed by
:func:`kvtheory.engine.cluster.simulate`, the requests go to the same workers.
"""

from __future__ import annotations

from typing import cast

import numpy as np

from kvtheory.engine.cluster import UNIT, MakeRouter
from kvtheory.engine.fleet import Caches
from kvtheory.engine.workers import Rates, Workers
from kvtheory.errors import RouterError
from kvtheory.model import CostModel, Floats, IntArray, LongArray, PrefixTree
from kvtheory.policy import Policy
from kvtheory.router import Arrival, View


class LiveFleet:
    """Workers behind a router, empty at first; as an adversary sees them, one cache.

    Args:
        tree: the prompts.
        workers: how many there are.
        capacity: nodes that each caches.
        policy: who chooses the victims.
        make_router: makes the router, given its view.
        costs: of service, in nodes; numbers that are ints or Fractions.
    """

    def __init__(
        self,
        tree: PrefixTree,
        workers: int,
        capacity: int,
        policy: type[Policy],
        make_router: MakeRouter,
        costs: CostModel = UNIT,
    ) -> None:
        self.tree, self.caches = tree, Caches(tree, workers, capacity, policy)
        above = tree.depth.astype(np.int64)
        scaled, scale = costs.scaled()
        view = View(tree, workers, capacity, above, scaled, float(scale or 1))
        self.router = make_router(view)
        self.state = _State(self.caches, Rates.of(scaled), above)
        if self.router.omniscient:
            view.truth = cast(Workers, self.state)
        self.sent: list[int] = []

    @property
    def cached(self) -> _Anywhere:
        """What any worker caches."""
        return _Anywhere(self.caches)

    def serve(self, v: int) -> int:
        """The router sends the prompt `v` to a worker, and that one serves it; its hit, as a node.

        Raises:
            RouterError: if the router chooses no worker.
        """
        t = len(self.sent)
        self.state.asked = v
        arrival = Arrival(t, v, int(self.tree.depth[v]), t, 0.0)
        worker = self.router.choose(arrival)
        if not 0 <= worker < self.caches.workers:
            raise RouterError(f"{self.router.name} sends request {t} to worker {worker}")
        self.state.load[worker] += self.state.costs_of(t)[worker]
        hit = self.caches.serve(worker, v)
        self.router.on_dispatch(arrival, worker)
        self.sent.append(worker)
        return hit


class _Anywhere:
    """The union of the caches."""

    def __init__(self, caches: Caches) -> None:
        self.holders = caches.holders

    def __contains__(self, v: object) -> bool:
        return isinstance(v, int) and bool(self.holders[v].any())


class _State:
    """What an omniscient router asks of the workers, between two requests."""

    def __init__(self, caches: Caches, rates: Rates, above: LongArray) -> None:
        self.caches, self.rates, self.above = caches, rates, above
        self.load: Floats = np.zeros(caches.workers)
        self.asked = 0

    def match(self, v: int) -> IntArray:
        return self.caches.match(v)

    def backlog(self, now: float) -> Floats:
        return self.load - now

    def costs_of(self, request: int) -> Floats:
        rates, hit = self.rates, self.above[self.match(self.asked)]
        length = int(self.above[self.asked])
        cost: Floats = rates.prefill(hit, length) + rates.answer(0, length)
        return cost
