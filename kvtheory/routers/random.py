"""A worker drawn uniformly."""

from __future__ import annotations

import numpy as np

from kvtheory.rng import SplitMix64
from kvtheory.router import Arrival, Router, View


class Random(Router):
    """A worker drawn uniformly from those that are up. [Mitzenmacher2001]_

    The baseline of two choices (:doc:`p2c`): with as many requests as workers the fullest has
    log M / log log M of them.
    """

    name = "random"
    source = "Mitzenmacher2001"
    draws = True

    def __init__(self, view: View) -> None:
        super().__init__(view)
        self.stream = SplitMix64(view.seed)

    def choose(self, arrival: Arrival) -> int:
        up = np.flatnonzero(self.view.up)
        return int(up[self.stream.below(up.size)])
