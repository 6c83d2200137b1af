"""Fewest requests that are not yet done."""

from __future__ import annotations

from kvtheory.router import Arrival, Router


class LeastOutstanding(Router):
    """The worker with the fewest requests sent and not yet completed. [Winston1977]_

    Join the shortest queue, counted in requests: optimal for equal exponential services, blind to how long a
    prompt is and to what is cached.
    """

    name = "least_outstanding"
    source = "Winston1977"

    def choose(self, arrival: Arrival) -> int:
        return self.lowest(self.outstanding)
