"""Bootstrap intervals, and a plain verdict from one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

DRAWS, LEVEL = 4000, 0.95


@dataclass(frozen=True)
class Interval:
    """An estimate and its 95 % bootstrap interval."""

    value: float
    low: float
    high: float

    def verdict(self, *, larger_is_better: bool) -> str:
        """`better`, `worse` or `undecided`: on which side of 0 a difference lies."""
        if self.low <= 0 <= self.high:
            return "undecided"
        return "better" if (self.value > 0) == larger_is_better else "worse"


def difference_of_means(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64], seed: int = 0) -> Interval:
    """Mean of `a` less mean of `b`, requests paired.

    Args:
        a: float64, shape (rounds, requests).
        b: the same requests in the same rounds, the same shape.
        seed: of the draws. Requests are drawn with replacement, and rounds too where there are several.
    """
    gain = a - b
    rng = np.random.default_rng(seed)
    rows, columns = (rng.multinomial(n, np.full(n, 1 / n), DRAWS) for n in gain.shape)  # how often each
    drawn = ((rows @ gain) * columns).sum(axis=1) / gain.size
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(gain.mean()), float(low), float(high))
