"""Earliest finish on the true costs."""

from __future__ import annotations

from kvtheory.router import Arrival, Router


class Greedy(Router):
    """The worker that would finish the request first, by true caches and true work. [Graham1966]_

    At most M times the optimal makespan where caches are unbounded; as bad as the price of a miss over that
    of a hit where they hold one prompt each (:doc:`/theory/routing`).
    """

    name = "greedy"
    source = "Graham1966"
    omniscient = True

    def choose(self, arrival: Arrival) -> int:
        workers = self.view.true()
        return self.lowest(workers.backlog(arrival.now) + workers.costs_of(arrival.request))
