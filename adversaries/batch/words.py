"""64-bit words in torch: how many bits are set, and the generator of :mod:`kvtheory.rng`, one per lane.

Torch shifts signed words arithmetically, so that every shift to the right is masked; products wrap around.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from kvtheory.rng import GAMMA, MASK64, MIX1, MIX2

SMEAR = (1, 2, 4, 8, 16, 32)


def signed(word: int) -> int:
    """The two's complement reading of a 64-bit word."""
    word &= MASK64
    return word - (1 << 64) if word >> 63 else word


def popcount(words: Tensor) -> Tensor:
    """Bits set in each non-negative int64."""
    words = words - ((words >> 1) & 0x5555555555555555)
    words = (words & 0x3333333333333333) + ((words >> 2) & 0x3333333333333333)
    words = (words + (words >> 4)) & 0x0F0F0F0F0F0F0F0F
    for shift in (8, 16, 32):
        words = words + (words >> shift)
    return words & 0x7F


def _right(words: Tensor, shift: int) -> Tensor:
    return (words >> shift) & ((1 << (64 - shift)) - 1)


class Generators:
    """One :class:`kvtheory.rng.SplitMix64` per lane.

    Args:
        seeds: one per lane, any integers.
        device: where the states live.
    """

    def __init__(self, seeds: Sequence[int], device: torch.device) -> None:
        self.state = torch.tensor([signed(int(seed)) for seed in seeds], dtype=torch.int64, device=device)

    def next(self, lanes: Tensor) -> Tensor:
        """The next output of some lanes' generators, as signed words; no lane twice."""
        state = self.state[lanes] + signed(GAMMA)
        self.state[lanes] = state
        z = (state ^ _right(state, 30)) * signed(MIX1)
        z = (z ^ _right(z, 27)) * signed(MIX2)
        return z ^ _right(z, 31)

    def below(self, lanes: Tensor, bound: Tensor) -> Tensor:
        """One integer below `bound` (positive) for each of some lanes: the draws of the reference."""
        mask = bound - 1
        for shift in SMEAR:
            mask = mask | mask >> shift
        drawn = torch.empty_like(bound)
        waiting = torch.arange(len(lanes), device=lanes.device)
        while len(waiting):
            value = self.next(lanes[waiting]) & mask[waiting]
            good = value < bound[waiting]
            drawn[waiting[good]] = value[good]
            waiting = waiting[~good]
        return drawn
