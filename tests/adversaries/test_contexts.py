"""Contexts become prefix trees; draws follow their laws."""

from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plain_prompts import assert_same_tree, chi_square

from adversaries.contexts import Forest, join, tree_of
from adversaries.draws import elapsed, geometric, lengths, ragged, zipf_ranks, zipf_sets
from kvtheory.errors import InputError


@st.composite
def forests(draw):
    size = draw(st.integers(1, 12))
    above = [0] + [draw(st.integers(0, c)) for c in range(size)]
    tokens = [0] + draw(st.lists(st.integers(0, 9), min_size=size, max_size=size))
    asked = draw(st.lists(st.integers(0, size), min_size=1, max_size=15))
    return Forest(np.array(above), np.array(tokens)), np.array(asked)


@given(forests(), st.integers(1, 6))
def test_contexts_are_cut_in_blocks_as_their_tokens_are(drawn, block):
    forest, asked = drawn
    prompts = [()]
    for c in range(1, forest.above.size):
        own = tuple((c, i) for i in range(forest.tokens[c]))
        prompts.append(prompts[forest.above[c]] + own)
    tree, requests = tree_of(forest, asked, block)
    assert_same_tree(tree, requests, [prompts[c] for c in asked.tolist()], block)


def test_a_tree_too_large_for_node_numbers_is_refused_before_it_is_made():
    forest = join((0, np.full(3, 2**30)))
    with pytest.raises(InputError, match="more than"):
        tree_of(forest, np.array([1, 2, 3]), 1)


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.5])
def test_sets_are_drawn_one_by_one_among_what_is_left(exponent):
    """Against the exact probability of each ordered triple of 5 ranks."""
    weight = [Fraction(i**-exponent) for i in range(1, 6)]
    size = 60_000
    drawn = zipf_sets(np.random.default_rng(3), 5, exponent, size, 3)
    counts, expected = [], []
    for triple in permutations(range(5), 3):
        chance, left = Fraction(1), sum(weight)
        for i in triple:
            chance *= weight[i] / left
            left -= weight[i]
        counts.append(int((drawn == triple).all(axis=1).sum()))
        expected.append(float(chance * size))
    assert sum(counts) == size
    assert chi_square(counts, expected) < 98.3  # the 99.9 % point at 59 degrees of freedom; the seed is fixed


@pytest.mark.parametrize("exponent", [0.0, 1.0, 10.0])
def test_a_full_set_is_a_permutation_however_steep_the_law(exponent):
    drawn = zipf_sets(np.random.default_rng(0), 40, exponent, 70_000, 40)
    assert (np.sort(drawn, axis=1) == np.arange(40)).all()
    first = (drawn[:, 0] == 0).mean()
    share = 1 / sum(i**-exponent for i in range(1, 41))
    assert abs(first - share) < 4 * (share * (1 - share) / 70_000) ** 0.5 + 1e-9


@pytest.mark.parametrize("exponent", [0.7, 1.0, 1.4])
def test_ranks_have_the_slope_of_the_exponent(exponent):
    counts = np.bincount(zipf_ranks(np.random.default_rng(1), 2000, exponent, 1_000_000), minlength=2000)
    ranks = np.arange(1, 51)
    slope = np.polyfit(np.log(ranks), np.log(counts[:50]), 1)[0]
    assert abs(slope + exponent) < 0.02
    expected = ranks**-exponent / (np.arange(1, 2001) ** -exponent).sum() * 1_000_000
    assert chi_square(counts[:50], expected) < 86.7  # 99.9 %, 50 degrees of freedom


def test_lengths_have_their_mean_and_spread():
    drawn = lengths(np.random.default_rng(5), 200, 0.8, 100_000)
    sigma = 200 * (np.exp(0.64) - 1) ** 0.5
    assert abs(drawn.mean() - 200) < 4 * sigma / 100_000**0.5
    assert abs(np.log(drawn).std() - 0.8) < 0.01
    assert set(lengths(np.random.default_rng(5), 7, 0, 50).tolist()) == {7}
    assert lengths(np.random.default_rng(5), 1, 4.0, 1000).min() == 1


def test_ragged_sequences_by_hand():
    owner, place = ragged(np.array([2, 1, 3]))
    assert owner.tolist() == [0, 0, 1, 2, 2, 2]
    assert place.tolist() == [0, 1, 0, 0, 1, 2]
    gaps = np.array([5.0, 1.0, 7.0, 2.0, 3.0, 4.0])
    assert elapsed(gaps, place).tolist() == [0, 5, 0, 0, 2, 5]
    assert set(geometric(np.random.default_rng(0), 1, 20).tolist()) == {1}
