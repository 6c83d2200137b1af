"""The better of two workers drawn at random."""

from __future__ import annotations

import numpy as np

from kvtheory.books import require
from kvtheory.rng import SplitMix64
from kvtheory.router import Arrival, Router, View


class PowerOfTwoChoices(Router):
    """The less busy of two workers drawn at random. [Mitzenmacher2001]_

    The workers are different and drawn uniformly from those that are up; the one with fewer outstanding
    requests is chosen, the first drawn of equals. With as many requests as workers the fullest has
    log log M / log choices of them, and a constant.

    Args:
        view: the cluster.
        choices: how many are drawn.
    """

    name = "p2c"
    source = "Mitzenmacher2001 Azar1999"
    draws = True

    def __init__(self, view: View, *, choices: int = 2) -> None:
        require(choices >= 1, "p2c", "choices", f"{choices}: at least one is drawn")
        super().__init__(view)
        self.choices = choices
        self.stream = SplitMix64(view.seed)

    def choose(self, arrival: Arrival) -> int:
        left = np.flatnonzero(self.view.up)
        drawn = []
        for last in range(left.size - 1, max(-1, left.size - 1 - self.choices), -1):
            place = self.stream.below(last + 1)
            drawn.append(int(left[place]))
            left[place] = left[last]
        return min(drawn, key=self.outstanding.__getitem__)
