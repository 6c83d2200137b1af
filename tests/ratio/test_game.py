"""Exact ratios: the theory's values, the width law, and cycles that really cost what they claim."""

import itertools
import os
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtheory.engine.reference import ReferenceEngine
from kvtheory.model import PrefixTree, Trace
from kvtheory.offline.belady import belady
from kvtheory.ratio import game as game_module
from kvtheory.ratio.cycle import maximum_cycle_ratio
from kvtheory.ratio.game import exact_ratio, play, proved_bound
from kvtheory.ratio.instance import Instance
from kvtheory.registry import policies
from kvtheory.shapes import parse_tree
from kvtheory.testing.chances import TooManyStates, expected_misses
from kvtheory.testing.instances import all_trees
from kvtheory.testing.probes import AllTied, MarkingFifo, SoftMarking
from kvtheory.width import harmonic, width

DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"


def instances(largest, lowest_capacity=2):
    """Every tree of at most `largest` nodes and every capacity below that which drops no node."""
    for n in range(1, largest + 1):
        for parents in all_trees(n):
            tree = PrefixTree.from_parents(parents)
            for capacity in range(max(lowest_capacity, tree.height), n):
                yield Instance.of(tree, capacity)


def solve(tree, capacity, policy, **options):
    game = play(Instance.of(parse_tree(tree), capacity), policies()[policy], **options)
    return game.result()


@pytest.mark.parametrize(
    ("policy", "counts"),
    [("lru", (16, 89, 566, 4117, 33860)), ("fifo", (16, 257, 2726, 33637, 477380))],
)
def test_product_states_on_stars(policy, counts):
    found = [solve(f"star:{k + 1}", k, policy) for k in range(2, 7)]
    assert [result.ratio for result in found] == [2, 3, 4, 5, 6]
    assert tuple(result.states for result in found) == counts
    assert all(result.states_reduced <= 100 for result in found)


def test_the_quotient_counts_what_is_there():
    for policy in ("lru", "fifo", "marking", "rlt"):
        for tree in ("star:4", "binary:2", "0,0,1,1"):
            quotient, whole = (solve(tree, 3, policy, symmetric=s, merge=s) for s in (True, False))
            assert quotient.ratio == whole.ratio
            assert quotient.states == whole.states == whole.states_reduced


def test_the_width_law():
    """leaf-LRU is W - 1 (1 where W <= 2) on every tree; 186 instances of k >= 2 have at most 6 nodes."""
    largest = 7 if DEEP else 5
    seen = list(instances(largest))
    assert len(seen) == {5: 57, 7: 565}[largest]
    for game in seen:
        W = width(game.tree, game.capacity).W
        assert exact_ratio(game, policies()["lru"]).ratio == max(1, W - 1)


@pytest.mark.skipif(not DEEP, reason="minutes")
def test_ratios_of_trees_with_seven_nodes():
    """n = 7, k = 4: ratio 1 for 9 trees, 2 for 44, 3 for 31, 4 for 5."""
    counts = {1: 0, 2: 0, 3: 0, 4: 0}
    for parents in all_trees(7):
        tree = PrefixTree.from_parents(parents)
        if tree.height <= 4:
            counts[int(exact_ratio(Instance.of(tree, 4), policies()["fifo"]).ratio)] += 1
    assert counts == {1: 9, 2: 44, 3: 31, 4: 5}


@pytest.mark.parametrize(
    ("n", "k", "ratio"),
    [
        (3, 2, "3/2"),
        (4, 2, "2"),
        (5, 2, "2"),
        (4, 3, "11/6"),
        (5, 3, "8/3"),
        (6, 3, "8/3"),
        (5, 4, "25/12"),
        (6, 4, "19/6"),
    ],
)
def test_rlt_on_stars(n, k, ratio):
    assert solve(f"star:{n}", k, "rlt").ratio == Fraction(ratio)


def test_rlt_is_exact_on_all_small_trees():
    """Where too many distributions are reachable (1 instance of 57, 11 of 186), convexity settles it."""
    largest, expected = (6, 11) if DEEP else (5, 1)
    still_open, most = [], 0
    for game in instances(largest):
        solved = play(game, policies()["rlt"], budget=1000)
        result = solved.result()
        assert result.settled
        if solved.complete:
            most = max(most, result.states)
        else:
            still_open.append(game)
            assert solved.bound.ratio == result.ratio < proved_bound(game, policies()["rlt"])
        widths = width(game.tree, game.capacity)
        assert result.ratio <= 2 * widths.harmonic_w() - 1
        if game.tree.n == game.capacity + 1:
            assert result.ratio == harmonic(max(1, widths.W - 1))
    assert len(still_open) == expected
    assert most == (6002 if DEEP else 906)


def test_the_theorem_is_the_upper_bound_where_nothing_better_is_known():
    bound = proved_bound(Instance.of(parse_tree("star:4"), 3), policies()["rlt"])
    assert bound == 4 * harmonic(3)
    assert proved_bound(Instance.of(parse_tree("star:4"), 3), policies()["random"]) == 3
    assert proved_bound(Instance.of(parse_tree("star:4"), 3), policies()["mru"]) is None


@pytest.mark.parametrize(("tree", "capacity"), [("star:3", 2), ("0,0,1,0", 2)])
def test_random_is_bounded_by_convexity(tree, capacity):
    """Its distributions never recur: no cycle attains the ratio, and a mixture of anchors bounds it."""
    result = solve(tree, capacity, "random", budget=200)
    assert result.lower <= result.upper <= 3


def test_rlt_can_lose_to_lru():
    tree = "0,1,1,0,4,0"
    assert solve(tree, 3, "lru").ratio == 2
    assert solve(tree, 3, "rlt").ratio == Fraction(25, 12)
    assert solve("0,1,0,3,0,5", 4, "lru").ratio == 2
    assert solve("0,1,0,3,0,5", 4, "rlt").ratio == Fraction(5, 2)


@pytest.mark.parametrize("tree", ["star:4", "binary:2", "0,0,0,1,2"])
def test_mru_is_infinite(tree):
    result = solve(tree, 3, "mru")
    assert result.infinite
    assert result.to_json()["ratio"] == result.to_json()["lower"] == result.to_json()["upper"] == "inf"


@pytest.mark.parametrize("policy", ["lru", "fifo", "mru", "marking", "rlt", "random", "bucketing"])
def test_everything_fits(policy):
    result = solve("star:3", 3, policy)
    assert result.to_json()["ratio"] == "1/1"
    assert result.cycle


def misses(game, policy, requests):
    if policy.randomised():
        return expected_misses(ReferenceEngine(game.tree, game.capacity, policy), tuple(requests), 5000)
    engine = ReferenceEngine(game.tree, game.capacity, policy)
    depth = game.tree.depth
    return sum(int(depth[v]) - int(depth[engine.serve(v)[0]]) for v in requests)


def optimum(game, requests):
    trace = Trace(game.tree, np.array(requests, dtype=np.int32))
    return trace.accesses - int(game.tree.depth[belady(trace, game.capacity).hit].sum())


RANDOMISED = [policies()["rlt"], SoftMarking]
RANKED = [policies()[name] for name in ("lru", "fifo", "mru", "marking")] + [AllTied, MarkingFifo]


@pytest.mark.parametrize("policy", [*RANKED, *RANDOMISED], ids=lambda policy: policy.name)
def test_cycles_replayed_by_the_engines(policy, monkeypatch):
    """Misses of the reference engine and of Belady grow, round by round, as the ratio says."""
    monkeypatch.setattr(game_module, "ANCHORS", ())  # lower bounds only
    for game in itertools.islice(instances(5), 5, None, 9):
        result = exact_ratio(game, policy, budget=300)
        prefix, cycle = result.prefix, result.cycle
        rounds = 2 if policy.randomised() else 4
        try:
            paid = [misses(game, policy, prefix + cycle * i) for i in range(rounds)]
        except TooManyStates:
            continue
        owed = [optimum(game, prefix + cycle * i) for i in range(8)]
        growth = {owed[i + 1] - owed[i] for i in range(3, 7)}
        assert len({b - a for a, b in itertools.pairwise(paid)}) == 1
        assert len(growth) == 1
        gain, opt = paid[1] - paid[0], growth.pop()
        if result.infinite:
            assert gain > 0
            assert opt == 0
        else:
            assert gain == result.lower * opt


def test_a_budget_gives_a_lower_bound():
    game = Instance.of(parse_tree("star:5"), 4)
    result = play(game, policies()["lru"], budget=60, symmetric=False).result()
    assert not result.settled
    assert 1 <= result.lower <= 4
    assert result.upper == 4  # the theorem


def test_requestable_nodes_restrict_the_adversary():
    tree = parse_tree("0,0,1,1,2")
    whole = exact_ratio(Instance.of(tree, 3), policies()["lru"])
    part = exact_ratio(Instance.of(tree, 3, [3, 4]), policies()["lru"])
    assert part.ratio <= whole.ratio
    assert set(part.cycle) <= {3, 4}


def brute_cycle_ratio(target, alg, opt):
    """Every simple cycle."""
    best, infinite = Fraction(0), False

    def extend(path, paid, owed):
        nonlocal best, infinite
        for r, to in enumerate(target[path[-1]]):
            a, b = paid + alg[path[-1]][r], owed + opt[path[-1]][r]
            if to == path[0]:
                infinite |= b == 0 and a > 0
                best = max(best, Fraction(a, b)) if b else best
            elif to > path[0] and to not in path:
                extend([*path, to], a, b)

    for start in range(len(target)):
        extend([start], 0, 0)
    return None if infinite else best


@given(st.data())
def test_the_maximum_cycle_ratio_by_enumeration(data):
    states, requests = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 3))

    def table(low, high):
        row = st.lists(st.integers(low, high), min_size=requests, max_size=requests)
        return data.draw(st.lists(row, min_size=states, max_size=states))

    target, alg, opt = table(-1, states - 1), table(0, 4), table(0, 2)
    expected = brute_cycle_ratio(target, alg, opt)
    for kind in (np.int64, object):
        arrays = np.array(alg, dtype=kind), np.array(opt, dtype=np.int64)
        found = maximum_cycle_ratio(np.array(target, dtype=np.int32), *arrays)
        assert found.ratio == expected
        if expected is not None:
            p, q, phi = expected.numerator, expected.denominator, found.potential
            for s, r in itertools.product(range(states), range(requests)):
                if target[s][r] >= 0:
                    assert q * alg[s][r] - p * opt[s][r] + phi[target[s][r]] <= phi[s]
