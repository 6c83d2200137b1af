"""Each conversation keeps its worker."""

from __future__ import annotations

from kvtheory.books import Ring, require
from kvtheory.router import Arrival, Router, View


class Session(Router):
    """The worker that a conversation is hashed to. [Karger1997]_

    Session affinity by consistent hashing: all turns of a conversation go to one worker, whatever its load; a
    worker that is down has its conversations served by the next ones on the ring until it is back.

    Args:
        view: the cluster.
        points: of each worker on the ring.
    """

    name = "session"
    source = "Karger1997"

    def __init__(self, view: View, *, points: int = 100) -> None:
        require(1 <= points <= 10_000, "session", "points", f"{points} is not in 1..10000")
        super().__init__(view)
        self.ring = Ring(view.workers, points)

    def choose(self, arrival: Arrival) -> int:
        return self.ring.owner(arrival.session, self.view.up)
