"""One worker after the other."""

from __future__ import annotations

from kvtheory.router import Arrival, Router, View


class RoundRobin(Router):
    """The next worker in turn, whatever is asked. [Graham1966]_

    Blind to caches and load: alternating prompts can miss each time where one worker each would always hit.
    """

    name = "round_robin"
    source = "Graham1966"

    def __init__(self, view: View) -> None:
        super().__init__(view)
        self.next = 0

    def choose(self, arrival: Arrival) -> int:
        while not self.view.up[self.next]:
            self.next = (self.next + 1) % self.view.workers
        chosen = self.next
        self.next = (self.next + 1) % self.view.workers
        return chosen
