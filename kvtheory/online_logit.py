"""Logistic regression on indicator features that learns one observation at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from operator import add

import numpy as np

from kvtheory.object_policy import Memory


class OnlineLogit(Memory):
    """Log-odds of an event as a sum of weights, one for each indicator that is on.

    A Gaussian belief about the weights is kept, mean and covariance, and moved by each observation as a
    Kalman filter moves it whose measurement is the logistic function, linearised at the mean. So no learning
    rate is needed, and one pass over the observations comes close to a fit on all of them.

    Args:
        size: number of indicators.
        variance: of each weight, before anything was observed; their means are 0.
    """

    def __init__(self, size: int, variance: float) -> None:
        self.weights = [0.0] * size
        self._covariance = np.eye(size) * variance

    def log_odds(self, on: Sequence[int]) -> float:
        """Log-odds of the event where the indicators `on` are on."""
        weights = self.weights
        return reduce(add, [weights[i] for i in on], 0.0)

    def observe(self, on: Sequence[int], happened: bool, mass: float) -> None:
        """Learn from one observation.

        Args:
            on: the indicators that were on, each once.
            happened: whether the event came about.
            mass: how many observations this one counts for.
        """
        guess = 1 / (1 + math.exp(-self.log_odds(on)))
        slope = self._covariance[list(on)].sum(axis=0)
        precision = mass * guess * (1 - guess)
        gain = slope / (1 + precision * float(slope[list(on)].sum()))
        step = gain * (mass * (happened - guess))
        self.weights = [w + d for w, d in zip(self.weights, step.tolist(), strict=True)]
        self._covariance -= np.outer(slope, gain * precision)
