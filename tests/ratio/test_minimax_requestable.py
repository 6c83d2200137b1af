"""Where only some nodes are requested: what bounds the best deterministic ratio, and what does not decide it.

- max(1, H(m-1, g)) over sets that just overflow <= best deterministic ratio <= leaf-LRU's
  <= max(1, min(W(T_R) - 1, 1 + w_R)), with H the granular harmonic number of requestable_games;
- H(W_R - 1) <= best randomised ratio;
- the ratio of a game is that of its kernel;
- no function of k, W, w, W_R and the most leaves of a set of exactly k+1 nodes gives it.

The table in docs/_static/requestable is made by tests/benchmarks/table_requestable.py.
"""

import ast
import hashlib
import itertools
import json
import os
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from kvtheory.errors import VerificationError
from kvtheory.model import PrefixTree
from kvtheory.policies.lru import LeafLRU
from kvtheory.ratio.game import exact_ratio
from kvtheory.ratio.instance import Instance
from kvtheory.ratio.minimax import best_deterministic, best_randomized
from kvtheory.requestable import requestable_width
from kvtheory.requestable_games import all_games, granular, granular_bound, kernel, overflows
from kvtheory.width import harmonic, width

deep = pytest.mark.skipif(os.environ.get("KVTHEORY_DEEP") != "1", reason="set KVTHEORY_DEEP=1")
FILE = Path(__file__).parents[2] / "docs" / "_static" / "requestable" / "games.json"
TABLE = json.loads(FILE.read_text(encoding="utf-8"))


def widths_of(instance):
    """Most leaves of a generated set of exactly k+1 nodes, and of one that just overflows."""
    found = list(overflows(instance))
    return max((m for m, g in found if g == 1), default=1), max((m for m, _ in found), default=1)


def legs(lengths, capacity):
    """Chains of the given lengths from the root, their ends requested."""
    parents, ends = [], []
    for length in lengths:
        parents += [0, *range(len(parents) + 1, len(parents) + length)]
        ends.append(len(parents))
    return Instance.of(PrefixTree.from_parents(parents), capacity, ends)


def check(nodes):
    values, integers = Counter(), 0
    for n in range(2, nodes + 1):
        for instance in all_games(n):
            exact, minimal = widths_of(instance)
            ratio = best_deterministic(instance).ratio
            own = requestable_width(instance.tree, instance.requestable, instance.capacity)
            W = width(instance.tree, instance.capacity).W
            values[ratio] += 1
            assert own.low == own.high == minimal
            lower = granular_bound(instance)
            assert max(1, exact - 1) <= lower <= ratio <= max(1, min(W - 1, 1 + own.fitting))
            assert lower >= harmonic(max(1, minimal - 1))
            assert best_deterministic(kernel(instance)).ratio == ratio
            if len(instance.requestable) == n:
                assert exact == minimal == W
            if ratio.denominator == 1:
                integers += 1
                assert ratio == max(1, exact - 1) == lower
            else:
                assert 1 < ratio < 2
                assert exact <= 2
    return dict(sorted(values.items())), integers


def test_every_game_is_enumerated_once():
    """Against all labelled trees with all marked nodes, told apart by trying every renumbering."""

    def least(parents, chosen, n):
        edges = list(enumerate(parents, 1))
        return min(
            (sorted((p[v - 1], p[u - 1] if u else 0) for v, u in edges), sorted(p[v - 1] for v in chosen))
            for p in itertools.permutations(range(1, n + 1))
        )

    for n in range(2, 5):
        expected = set()
        for parents in itertools.product(*(range(v) for v in range(1, n + 1))):
            for size in range(1, n + 1):
                for chosen in itertools.combinations(range(1, n + 1), size):
                    if set(chosen) >= set(range(1, n + 1)) - set(parents):
                        expected.add(str(least(parents, chosen, n)))
        games = [str(least(g.parents[1:], g.requestable, n)) for g in all_games(n) if g.capacity == n - 1]
        deep_enough = sum(1 for g in expected if max(_depths(g)) <= n - 1)
        assert len(games) == len(set(games)) == deep_enough
    assert [sum(1 for _ in all_games(n)) for n in range(2, 7)] == [1, 6, 33, 157, 751]


def _depths(text):
    """Depths of the nodes of a tree written by `least`."""
    parent = dict(ast.literal_eval(text)[0])

    def depth(v):
        return 1 + depth(parent[v]) if v else 0

    return [depth(v) for v in parent]


def test_every_requestable_set_of_up_to_5_nodes():
    values, integers = check(5)
    assert integers == 185
    assert values == {1: 111, Fraction(5, 4): 11, Fraction(3, 2): 1, 2: 62, 3: 11, 4: 1}


@deep
def test_every_requestable_set_of_up_to_6_nodes():
    values, integers = check(6)
    assert integers == 861
    assert values == {
        1: 390,
        Fraction(7, 6): 3,
        Fraction(5, 4): 68,
        Fraction(4, 3): 4,
        Fraction(3, 2): 12,
        2: 362,
        3: 95,
        4: 13,
        5: 1,
    }


def test_the_table_is_as_it_was_written():
    body = {key: TABLE[key] for key in TABLE if key != "sha256"}
    text = json.dumps(body, separators=(",", ":"))
    assert hashlib.sha256(text.encode()).hexdigest() == TABLE["sha256"]
    assert len(TABLE["games"]) == 948


@pytest.mark.parametrize("at", range(0, 948, 31))
def test_a_sample_of_the_table_is_computed_again(at):
    row = TABLE["games"][at]
    game = Instance.of(PrefixTree.from_parents(row["tree"]), row["k"], row["R"])
    assert str(best_deterministic(game).ratio) == row["deterministic"]
    assert widths_of(game) == (row["exact"], row["W_R"])
    assert str(granular_bound(game)) == row["granular"]
    assert str(exact_ratio(game, LeafLRU).ratio) == row["lru"]
    assert Fraction(row["deterministic"]) <= Fraction(row["lru"]) <= row["upper"]


@pytest.mark.parametrize("at", range(13))
def test_kernels_of_the_table(at):
    row = TABLE["kernels"][at]
    game = Instance.of(PrefixTree.from_parents(row["tree"]), row["k"], row["R"])
    assert str(best_deterministic(game).ratio) == row["deterministic"]
    assert (kernel(game).parents, kernel(game).capacity) == (game.parents, game.capacity)
    for v in game.requestable:  # each of them is needed
        fewer = Instance.of(game.tree, game.capacity, [u for u in game.requestable if u != v])
        less = len(fewer.used) > fewer.capacity and best_deterministic(fewer).ratio
        assert less < Fraction(row["deterministic"])


def test_every_fractional_game_of_the_table_has_a_kernel():
    fractional = [row for row in TABLE["games"] if "/" in row["deterministic"]]
    assert len(fractional) == 87
    assert sum(row["games"].get(str(n), 0) for row in TABLE["kernels"] for n in range(2, 7)) == 87
    assert sum(row["games"].get("7", 0) for row in TABLE["kernels"]) == TABLE["seven"]["fractional"]


def test_no_function_of_the_widths():
    """Same k, W, w, W_R and exact; four different ratios."""
    seen = {}
    for row in TABLE["kernels"]:
        w = width(PrefixTree.from_parents(row["tree"]), row["k"]).w
        numbers = (row["k"], row["W"], w, row["W_R"], row["exact"])
        seen.setdefault(numbers, set()).add(row["deterministic"])
    assert max(len(values) for values in seen.values()) >= 4


@pytest.mark.parametrize(
    ("m", "g"), [(2, 3), (3, 1), (3, 2), (3, 3), (3, 4), (3, 5), (4, 1), (4, 2), (4, 3), (5, 2), (5, 3)]
)
def test_the_granular_law(m, g):
    """m legs of g nodes, room for m-1 of them; longer legs and a common beginning change nothing."""
    law = granular(m - 1, g)
    assert best_deterministic(legs([g] * m, (m - 1) * g)).ratio == law
    assert granular_bound(legs([g] * m, (m - 1) * g)) == law
    longer = legs([g + 1, *[g] * (m - 1)], (m - 1) * g + 1)
    assert best_deterministic(longer).ratio == law


def test_granular_numbers_fall_from_the_integers_to_the_harmonic_numbers():
    for m in range(1, 7):
        assert granular(m, 1) == m
        assert granular(m, 60) == harmonic(m)
        for g in range(1, 60):
            assert harmonic(m) <= granular(m, g) <= harmonic(m) + Fraction(m - 1, g)


def test_a_ratio_that_is_neither_reading_of_W_R():
    """Legs 2,2,2,2,2,5 in a cache of 8: exact - 1 is 2, minimal - 1 is 4; the ratio is at least 5/2."""
    game = legs([2, 2, 2, 2, 2, 5], 8)
    assert widths_of(game) == (3, 5)
    assert granular_bound(game) == Fraction(5, 2)
    assert best_deterministic(legs([2] * 5, 8)).ratio == Fraction(5, 2)


def test_leaf_LRU_is_not_optimal_where_tails_are_private():
    game = Instance.of(PrefixTree.from_parents([0, 0, 0, 1]), 2, [2, 3, 4])
    assert exact_ratio(game, LeafLRU).ratio == Fraction(4, 3) > best_deterministic(game).ratio
    assert exact_ratio(legs([2, 2, 2], 4), LeafLRU).ratio == 2
    assert exact_ratio(legs([3, 3, 3, 3], 9), LeafLRU).ratio == 3


CASES = [  # tree, capacity, requestable, (exact, minimal), best deterministic
    ([0, 0, 0, 1], 2, [2, 3, 4], (2, 2), Fraction(5, 4)),  # the smallest that no width explains
    ([0, 0, 0, 1, 2], 3, [3, 4, 5], (2, 2), Fraction(3, 2)),
    (
        [0, 0, 0, 1, 2, 3],
        4,
        [4, 5, 6],
        (1, 3),
        Fraction(3, 2),
    ),  # minimal - 1 is too large, exact - 1 too small
    ([0, 0, 0, 1, 2, 3], 5, [4, 5, 6], (3, 3), Fraction(2)),
]


@pytest.mark.parametrize(("parents", "capacity", "chosen", "widths", "ratio"), CASES)
def test_smallest_counterexamples(parents, capacity, chosen, widths, ratio):
    instance = Instance.of(PrefixTree.from_parents(parents), capacity, chosen)
    assert widths_of(instance) == widths
    assert best_deterministic(instance).ratio == ratio
    assert best_deterministic(instance, prefetch=True).ratio == ratio


@pytest.mark.parametrize(
    ("parents", "capacity", "chosen", "ratio"),
    [
        ([0, 0, 0, 1, 2, 3], 4, [4, 5, 6], Fraction(3, 2)),
        ([0, 0, 0, 1, 2, 3], 5, [4, 5, 6], Fraction(3, 2)),
        ([0, 0, 0, 1, 4], 4, [2, 3, 5], Fraction(3, 2)),
        ([0, 0, 0, 1], 3, [2, 3, 4], Fraction(3, 2)),
    ],
)
def test_uniform_leaves_of_a_minimal_overflow_are_the_worst(parents, capacity, chosen, ratio):
    instance = Instance.of(PrefixTree.from_parents(parents), capacity, chosen)
    found = best_randomized(instance)
    assert found.ratio == ratio == harmonic(widths_of(instance)[1] - 1)
    found.policy().check()
    found.adversary.check(found.works)


def test_the_randomised_ratio_exceeds_the_harmonic_bound():
    """Requests of sizes 1, 1, 1, 2 in a cache of 3: more than H(2), though the deterministic ratio is 2."""
    instance = Instance.of(PrefixTree.from_parents([0, 0, 0, 0, 1]), 3, [2, 3, 4, 5])
    assert widths_of(instance) == (3, 3)
    assert best_deterministic(instance).ratio == 2
    found = best_randomized(instance)
    assert found.kind == "numeric"
    assert Fraction(3, 2) <= found.lower < found.upper == Fraction(157, 102)
    found.policy().check()
    found.adversary.check(found.works)
    *chances, last = found.adversary.chance
    assert chances
    first, second = list(last)[:2]
    for wrong in (
        {**last, first: last[first] * 2},
        {**last, first: last[first] + 2, second: last[second] - 2},
    ):
        with pytest.raises(VerificationError, match="chances"):
            replace(found.adversary, chance=(*chances, wrong)).check(found.works)
