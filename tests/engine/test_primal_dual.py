"""The fractions of `primal_dual` against exact arithmetic and their bound; the drawn cache against them."""

from __future__ import annotations

from fractions import Fraction
from math import log

import numpy as np
import pytest

from kvtheory.offline.belady import belady
from kvtheory.policies.primal_dual import PrimalDualPager
from kvtheory.rng import SplitMix64
from kvtheory.testing.instances import Instance, random_instance, star

TOLERANCE = 1e-9


def exactly(missing: dict[int, Fraction], path: list[int], capacity: int) -> dict[int, Fraction]:
    """One request in rationals: all others grow to f (x + 1/k) - 1/k, at most 1, until k pages are held."""
    others = {v: x for v, x in missing.items() if v not in path and x < 1}
    room, full, unit = capacity - len(path), set[int](), Fraction(1, capacity)
    factor = Fraction(1)
    if sum(1 - x for x in others.values()) > room:
        while True:
            rest = [x for v, x in others.items() if v not in full]
            factor = (len(rest) * (1 + unit) - room) / sum(x + unit for x in rest)
            over = {v for v, x in others.items() if factor * (x + unit) - unit > 1} - full
            if not over:
                break
            full |= over
    grown = {v: Fraction(1) if v in full else factor * (x + unit) - unit for v, x in others.items()}
    return {**missing, **grown, **dict.fromkeys(path, Fraction(0))}


def test_the_fractions_are_those_of_exact_arithmetic() -> None:
    for seed in range(60):
        instance = random_instance(seed, max_nodes=9, max_requests=14)
        pager, exact = PrimalDualPager(instance.capacity), dict[int, Fraction]()
        for v in filter(None, instance.requests):
            path = instance.path(v)
            exact = exactly(exact, path, instance.capacity)
            pager.serve(path, SplitMix64(seed))
            found = dict(zip(pager.page, pager.missing().tolist(), strict=True))
            assert all(abs(found.get(u, 1.0) - x) < TOLERANCE for u, x in exact.items())
            assert sum(1 - x for x in exact.values()) <= instance.capacity


def cost(instance: Instance) -> tuple[float, PrimalDualPager]:
    """What the fractions pay."""
    pager, paid = PrimalDualPager(instance.capacity), 0.0
    for v in filter(None, instance.requests):
        missing = dict(zip(pager.page, pager.missing().tolist(), strict=True))
        paid += sum(missing.get(u, 1.0) for u in instance.path(v))
        pager._move(instance.path(v))
        held = float(np.sum(1 - pager.missing()))
        assert held <= instance.capacity * (1 + TOLERANCE)
    return paid, pager


def scans() -> list[Instance]:
    """What is hard for paging: a page at random of one more than fit, and all of them in turn."""
    dice = SplitMix64(8)
    found = []
    for k in (1, 2, 4, 8, 16):
        drawn = tuple(1 + dice.below(k + 1) for _ in range(400))
        found += [Instance(star(k + 1), k, drawn), Instance(star(k + 1), k, tuple(range(1, k + 2)) * 30)]
    return found


def test_the_fractions_keep_their_bound() -> None:
    """2 ln(k + 1) times OPT, on trees too."""
    for instance in (*scans(), *(random_instance(s, max_nodes=14, max_requests=150) for s in range(80))):
        least = instance.misses(belady(instance.trace, instance.capacity).hit.tolist())
        assert cost(instance)[0] <= 2 * log(instance.capacity + 1) * least + TOLERANCE


@pytest.mark.parametrize("k", [2, 4])
def test_the_drawn_cache_holds_a_page_about_as_often_as_its_fraction_says(k: int) -> None:
    """Mean over 800 seeds, which is within 0.05 of the probability; the rounding is exact in none of it."""
    dice = SplitMix64(1)
    requests = [1 + dice.below(k + 2) for _ in range(30)]
    held = np.zeros(k + 2)
    for seed in range(800):
        pager, rng = PrimalDualPager(k), SplitMix64(seed)
        for v in requests:
            pager.serve([v], rng)
        held += [v in pager for v in range(1, k + 3)]
    missing = dict(zip(pager.page, pager.missing().tolist(), strict=True))
    fractions = np.array([1 - missing.get(v, 1.0) for v in range(1, k + 3)])
    assert abs(held / 800 - fractions).max() < 0.15
    assert ((fractions > 0.01) & (fractions < 0.99)).any()
