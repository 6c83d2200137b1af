"""The generator of :mod:`kvtheory.rng` in machine words, for every kernel that draws."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kvtheory._numba import njit

GAMMA = np.uint64(0x9E3779B97F4A7C15)
MIX1 = np.uint64(0xBF58476D1CE4E5B9)
MIX2 = np.uint64(0x94D049BB133111EB)
SHIFTS = (np.uint64(1), np.uint64(2), np.uint64(4), np.uint64(8), np.uint64(16), np.uint64(32))


@njit
def draw(state: npt.NDArray[np.uint64], bound: int) -> int:
    """Integer below `bound`, uniform: :class:`kvtheory.rng.SplitMix64` in machine words."""
    mask = np.uint64(bound - 1)
    for shift in SHIFTS:
        mask |= mask >> shift
    while True:
        state[0] += GAMMA
        z = state[0]
        z = (z ^ (z >> np.uint64(30))) * MIX1
        z = (z ^ (z >> np.uint64(27))) * MIX2
        z = (z ^ (z >> np.uint64(31))) & mask
        if z < np.uint64(bound):
            return int(np.int64(z))
