"""The exponential potential of unrelated machines."""

from __future__ import annotations

from math import log

import numpy as np

from kvtheory.books import require
from kvtheory.model import Floats
from kvtheory.router import Arrival, Completion, Router, View


class Potential(Router):
    r"""Least rise of an exponential potential of the loads, on true costs: O(log M). [Aspnes1997]_

    With a guess :math:`\Lambda` of the optimal makespan, the request goes where
    :math:`\sum_i a^{l_i/\Lambda}` rises least, :math:`l_i` the summed cost of what worker i was sent and
    :math:`a = 1 + 1/\gamma`. If that lifts a load above :math:`\beta\Lambda`,
    :math:`\beta = \log_a(\gamma M/(\gamma-1))`, the guess was too small: it is doubled, and loads are counted
    from 0 again. The first guess is the least cost of the first request.

    Where a request's cost at each worker is given, the makespan is at most :math:`4\beta` times the optimum,
    for any M unrelated machines: while :math:`\Lambda` is at least the optimum no load exceeds
    :math:`\beta\Lambda`. Here costs depend on what was sent where, so the bound holds against the costs that
    this router met, not against the joint optimum (docs/theory/routing).

    Args:
        view: the cluster.
        gamma: above 1; smaller is steeper.
    """

    name = "potential"
    source = "Aspnes1997"
    omniscient = True

    def __init__(self, view: View, *, gamma: float = 2.0) -> None:
        require(gamma > 1, "potential", "gamma", f"{gamma} is not above 1")
        super().__init__(view)
        self.base = 1 + 1 / gamma
        self.beta = log(gamma * view.workers / (gamma - 1), self.base)
        self.guess, self.phase = 0.0, 0
        self.load: Floats = np.zeros(view.workers)  # that this phase counts
        self.cost: Floats = np.zeros(view.workers)
        self.sent: dict[int, tuple[int, float]] = {}

    def choose(self, arrival: Arrival) -> int:
        up = self.view.up
        self.cost = self.view.true().costs_of(arrival.request)
        least = float(self.cost[up].min())
        if least <= 0:
            return self.lowest(self.cost)
        self.guess = self.guess or least
        while self.guess < least:
            self._double()
        while True:
            best = self.lowest(self._rises())
            if self.load[best] + self.cost[best] <= self.beta * self.guess:
                return best
            self._double()

    def _rises(self) -> Floats:
        # powers beyond what any allowed worker can have are cut: they would overflow, and are refused anyway
        most = 2 * self.beta + 10
        after = self.base ** np.minimum((self.load + self.cost) / self.guess, most)
        rises: Floats = after - self.base ** np.minimum(self.load / self.guess, most)
        return rises

    def _double(self) -> None:
        self.guess *= 2
        self.phase += 1
        self.load[:] = 0.0

    def on_dispatch(self, arrival: Arrival, worker: int) -> None:
        super().on_dispatch(arrival, worker)
        cost = float(self.cost[worker])
        self.load[worker] += cost
        self.sent[arrival.request] = (self.phase, cost)

    def on_finish(self, done: Completion) -> None:
        super().on_finish(done)
        del self.sent[done.request]

    def on_down(self, worker: int, lost: list[int], now: float) -> None:
        super().on_down(worker, lost, now)
        for request in lost:
            phase, cost = self.sent.pop(request)
            if phase == self.phase:
                self.load[worker] = max(0.0, self.load[worker] - cost)
