"""SplitMix64 [Steele2014]_ in machine words: kernels draw by it, and hash tables find their slots."""

from __future__ import annotations

import numpy as np

from kvtheory._numba import njit_wrapping
from kvtheory.rng import GAMMA, MIX1, MIX2

STEP, FIRST, SECOND = np.uint64(GAMMA), np.uint64(MIX1), np.uint64(MIX2)


@njit_wrapping
def mixed(state: np.uint64, steps: np.uint64) -> np.uint64:
    """What :class:`kvtheory.rng.SplitMix64` puts out `steps` steps after `state`: a bijection of either."""
    z = state + steps * STEP
    z = (z ^ (z >> np.uint64(30))) * FIRST
    z = (z ^ (z >> np.uint64(27))) * SECOND
    return z ^ (z >> np.uint64(31))
