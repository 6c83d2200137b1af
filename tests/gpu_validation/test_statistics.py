"""Intervals, verdicts and the cost model, on data whose truth is known."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from profiles import examples

from gpu_validation.bootstrap import Interval, difference_of_means
from gpu_validation.fit import fit
from kvtheory.errors import InputError


def test_the_bootstrap_repeats_and_depends_on_its_seed() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(3, 40)), rng.normal(size=(3, 40))
    assert difference_of_means(a, b, 1) == difference_of_means(a, b, 1)
    assert difference_of_means(a, b, 1) != difference_of_means(a, b, 2)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    """One round of 60 Gaussian requests: 95 % of 120 intervals, give or take four standard errors (2 %)."""
    rng, truth = np.random.default_rng(7), 0.3
    covered = 0
    for seed in range(120):
        a, b = rng.normal(truth, 1, (1, 60)), rng.normal(0, 1, (1, 60))
        interval = difference_of_means(a, b, seed)
        covered += interval.low <= truth <= interval.high
    assert 0.87 <= covered / 120 <= 1


def test_the_interval_is_the_normal_one_where_theory_says_so() -> None:
    """For one round of many requests the bootstrap is the normal interval of the paired differences."""
    rng = np.random.default_rng(3)
    common = rng.normal(0, 50, (1, 2000))  # the same requests: what they share cancels
    a, b = common + rng.normal(0.5, 1, common.shape), common
    gain = (a - b).ravel()
    interval = difference_of_means(a, b)
    half = 1.96 * gain.std() / np.sqrt(gain.size)
    assert interval.value == pytest.approx(gain.mean())
    assert interval.low == pytest.approx(gain.mean() - half, abs=0.1 * half)
    assert interval.high == pytest.approx(gain.mean() + half, abs=0.1 * half)


@pytest.mark.parametrize(
    ("low", "high", "larger", "words"),
    [
        (0.1, 0.3, True, "better"),
        (0.1, 0.3, False, "worse"),
        (-0.3, -0.1, True, "worse"),
        (-0.3, -0.1, False, "better"),
        (-0.1, 0.3, True, "undecided"),
        (0.0, 0.3, False, "undecided"),
        (0.0, 0.0, True, "undecided"),
    ],
)
def test_verdicts(low: float, high: float, larger: bool, words: str) -> None:
    assert Interval((low + high) / 2, low, high).verdict(larger_is_better=larger) == words


@settings(max_examples=examples(60), deadline=None)
@given(
    truth=st.tuples(
        st.floats(1e-3, 1e-1), st.floats(1e-7, 1e-5), st.floats(1e-5, 1e-3), st.floats(1e-9, 1e-7)
    ),
    seed=st.integers(0, 99),
)
def test_the_fit_finds_the_coefficients_that_made_the_data(
    truth: tuple[float, float, float, float], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    hit, miss = rng.integers(0, 4000, 300).astype(float), rng.integers(1, 4000, 300).astype(float)
    pairs = np.array([sum(h + j for j in range(1, int(m) + 1)) for h, m in zip(hit, miss, strict=True)])
    ttft = np.array(truth) @ np.stack([np.ones(300), hit, miss, pairs])
    model = fit(hit, miss, ttft)
    found = (model.fixed, model.cached, model.computed, model.attention)
    assert found == pytest.approx(truth, rel=1e-4)
    assert model.predict(hit, miss) == pytest.approx(ttft, rel=1e-9)


@settings(max_examples=examples(100), deadline=None)
@given(seed=st.integers(0, 10**6), rows=st.integers(4, 40))
def test_no_coefficient_is_negative(seed: int, rows: int) -> None:
    """Data that no such model made, times that fall with the tokens among them."""
    rng = np.random.default_rng(seed)
    hit, miss = rng.integers(0, 900, rows).astype(float), rng.integers(1, 900, rows).astype(float)
    for ttft in (rng.uniform(0.01, 1, rows), 1 / (1 + miss), 1 / (1 + hit + miss)):
        model = fit(hit, miss, ttft)
        assert min(model.fixed, model.cached, model.computed, model.attention) >= 0
        assert np.isfinite(model.predict(hit, miss)).all()


def test_the_fit_is_the_best_without_negative_coefficients() -> None:
    """Against every choice of the coefficients that are not 0: one of them gives the best."""
    bound = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        hit, miss = rng.integers(0, 900, 40).astype(float), rng.integers(1, 900, 40).astype(float)
        ttft = (0.004 + 1e-4 * miss) * np.exp(0.2 * rng.standard_normal(40))
        features = np.stack([np.ones(40), hit, miss, miss * (hit + (miss + 1) / 2)], axis=1) / ttft[:, None]
        features /= features.max(axis=0)
        least = np.inf
        for chosen in (list(c) for size in range(1, 5) for c in combinations(range(4), size)):
            found = np.linalg.lstsq(features[:, chosen], np.ones(40), rcond=None)[0]
            if found.min() >= 0:
                least = min(least, float(np.linalg.norm(features[:, chosen] @ found - 1)))
        error = np.linalg.norm(fit(hit, miss, ttft).predict(hit, miss) / ttft - 1)
        assert error == pytest.approx(least, rel=1e-9)
        free = np.linalg.lstsq(features, np.ones(40), rcond=None)[0]
        bound += free.min() < 0
    assert bound > 50  # where nothing comes out negative there is nothing to choose


def test_too_few_rows() -> None:
    with pytest.raises(InputError, match="3 rows are too few"):
        fit(np.ones(3), np.ones(3), np.ones(3))
