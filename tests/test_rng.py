"""The one generator: known outputs, uniform draws, the same bits in Python and in kernels."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given

from kvtheory.engine.templates.weighted import draw
from kvtheory.rng import MASK64, SplitMix64
from kvtheory.testing.strategies import seeds

KNOWN = (
    6457827717110365317,
    3203168211198807973,
    9817491932198370423,
    4593380528125082431,
    16408922859458223821,
)


def test_outputs_are_those_of_the_published_generator() -> None:
    dice = SplitMix64(1234567)
    assert tuple(dice.next() for _ in KNOWN) == KNOWN


def test_any_integer_is_a_seed_modulo_two_to_the_64() -> None:
    assert SplitMix64(-1).next() == SplitMix64(MASK64).next()
    assert SplitMix64(1 << 64).next() == SplitMix64(0).next()


@given(seeds())
def test_kernels_draw_the_same_bits(seed: int) -> None:
    plain, words = SplitMix64(seed), np.full(1, seed, np.uint64)
    for bound in (1, 2, 3, 4, 5, 7, 100, 2**31 - 1, 2**31, 2**32 + 1, 2**62 + 1, 2**63 - 1, 1, 6):
        assert draw(words, bound) == plain.below(bound)
        assert int(words[0]) == plain.state


@given(seeds())
def test_a_draw_below_one_takes_one_output(seed: int) -> None:
    one, two = SplitMix64(seed), SplitMix64(seed)
    assert one.below(1) == 0
    two.next()
    assert one.state == two.state


class Listed(SplitMix64):
    """A generator whose outputs are given."""

    def __init__(self, outputs: list[int]) -> None:
        super().__init__(0)
        self.outputs = outputs

    def next(self) -> int:
        return self.outputs.pop(0)


@pytest.mark.parametrize("bound", range(1, 18))
def test_every_value_is_accepted_from_equally_many_outputs(bound: int) -> None:
    reject = 31  # all ones in every mask used here
    space = 1 << (bound - 1).bit_length()
    accepted: Counter[int] = Counter()
    for low in range(space):
        for high in (0, 1 << 40, MASK64 - MASK64 % 32):
            dice = Listed([high | low, reject, 0])
            value = dice.below(bound)
            if len(dice.outputs) == 2:
                assert value == low
                accepted[value] += 1
            else:
                assert low >= bound
    assert accepted == Counter(dict.fromkeys(range(bound), 3))


@pytest.mark.parametrize(("bound", "critical"), [(2, 24.0), (3, 28.0), (6, 36.0), (10, 45.0)])
def test_first_draws_of_successive_seeds_are_uniform(bound: int, critical: float) -> None:
    drawn = Counter(SplitMix64(seed).below(bound) for seed in range(6000))
    mean = 6000 / bound
    assert sum((drawn[value] - mean) ** 2 for value in range(bound)) / mean < critical  # p < 1e-6
