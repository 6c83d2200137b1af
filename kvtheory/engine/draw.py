"""The generator of :mod:`kvtheory.rng` in machine words, for every kernel that draws."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kvtheory._numba import njit_wrapping
from kvtheory.mix import STEP, mixed

SHIFTS = (np.uint64(1), np.uint64(2), np.uint64(4), np.uint64(8), np.uint64(16), np.uint64(32))


@njit_wrapping
def draw(state: npt.NDArray[np.uint64], bound: int) -> int:
    """Integer below `bound`, uniform: :class:`kvtheory.rng.SplitMix64` in machine words."""
    mask = np.uint64(bound - 1)
    for shift in SHIFTS:
        mask |= mask >> shift
    while True:
        state[0] += STEP
        z = mixed(state[0], np.uint64(0)) & mask
        if z < np.uint64(bound):
            return int(np.int64(z))
