r"""The one random generator of every engine: SplitMix64 [Steele2014]_ with unbiased bounded draws.

The state is one 64-bit word and starts at the seed. A draw below `bound` takes the low bits of successive
outputs under the smallest mask of ones that covers `bound - 1`, and returns the first value below `bound`:
every value is equally likely. A draw below 1 still takes one output, so that the stream does not depend on
the number of candidates. `draw` in `kvtheory/engine/draw.py` is the same generator in machine
words; the tests hold the two to each other bit for bit.
"""

from __future__ import annotations

MASK64 = (1 << 64) - 1
GAMMA, MIX1, MIX2 = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


class SplitMix64:
    """The generator in plain Python.

    Args:
        seed: any integer; taken modulo 2**64.
    """

    def __init__(self, seed: int) -> None:
        self.state = seed & MASK64

    def next(self) -> int:
        """Return the next 64-bit output."""
        self.state = (self.state + GAMMA) & MASK64
        z = self.state
        z = ((z ^ (z >> 30)) * MIX1) & MASK64
        z = ((z ^ (z >> 27)) * MIX2) & MASK64
        return z ^ (z >> 31)

    def below(self, bound: int) -> int:
        """Return an integer drawn uniformly from 0..bound-1; `bound` in 1..2**63."""
        mask = (1 << (bound - 1).bit_length()) - 1
        while True:
            value = self.next() & mask
            if value < bound:
                return value


def worker_seeds(seed: int, workers: int) -> list[int]:
    """A seed for each worker: worker 0 draws from `seed` itself, worker w from its w-th output."""
    stream = SplitMix64(seed)
    return [stream.state, *(stream.next() for _ in range(workers - 1))]
