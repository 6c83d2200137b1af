"""The best ratios any algorithm can have: the width law, and both proofs of every value."""

import os
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from kvtheory.errors import LimitError, VerificationError
from kvtheory.model import PrefixTree
from kvtheory.ratio import minimax_adversary
from kvtheory.ratio.instance import Instance
from kvtheory.ratio.minimax import best_deterministic, best_randomized
from kvtheory.ratio.minimax_adversary import offline_potentials
from kvtheory.ratio.minimax_game import Moves, simplest_between, solve
from kvtheory.ratio.minimax_lp import solve_program
from kvtheory.ratio.minimax_orbits import Orbits, allowed_states
from kvtheory.ratio.work_function import work_functions
from kvtheory.testing.instances import all_trees
from kvtheory.width import harmonic, width

deep = pytest.mark.skipif(os.environ.get("KVTHEORY_DEEP") != "1", reason="set KVTHEORY_DEEP=1")


def law(nodes, least=1):
    """Every tree of up to `nodes` nodes, and every capacity below that which drops no node."""
    for n in range(2, nodes + 1):
        for parents in all_trees(n):
            tree = PrefixTree.from_parents(parents)
            for capacity in range(max(least, tree.height), n):
                yield Instance.of(tree, capacity), width(tree, capacity).W


def check_played(found):
    """Every inequality of both players' potentials, in integers, from the bitmasks alone."""
    works, sets = found.works, found.instance.closed.tolist()
    p, q = found.upper.numerator, found.upper.denominator
    index = {tuple(pair): n for n, pair in enumerate(found.online.pairs.tolist())}
    assert index[0, 0] == 0
    for n, (w, i) in enumerate(found.online.pairs.tolist()):
        for r, v in enumerate(found.instance.requestable):
            j, to = int(found.online.table[n, r]), int(works.next[w, r])
            assert sets[j] & found.instance.paths[v] == found.instance.paths[v]
            weight = q * (sets[j] & ~sets[i]).bit_count() - p * int(works.increase[w, r])
            after = found.online.potential[index[to, j]]
            assert weight + after <= found.online.potential[n]
    if found.adversary is None:
        return
    p, q = found.lower.numerator, found.lower.denominator
    index = {tuple(pair): n for n, pair in enumerate(found.adversary.pairs.tolist())}
    assert index[0, 0] == 0
    for n, (w, i) in enumerate(found.adversary.pairs.tolist()):
        r = int(found.adversary.table[n])
        path, to = found.instance.paths[found.instance.requestable[r]], int(works.next[w, r])
        assert path & ~sets[i]
        union, room = sets[i] | path, found.instance.capacity
        for j, mask in enumerate(sets):
            if mask & path == path and mask & ~union == 0:
                if mask.bit_count() < min(room, union.bit_count()):
                    continue
                weight = q * (mask & ~sets[i]).bit_count() - p * int(works.increase[w, r])
                after = found.adversary.potential[index[to, j]]
                assert weight - after >= -found.adversary.potential[n]


def test_the_best_deterministic_ratio_is_the_width_law():
    cases = list(law(5))
    assert len(cases) == 61
    for instance, W in cases:
        found = best_deterministic(instance)
        assert (found.ratio, found.kind) == (max(1, W - 1), "rational")
        check_played(found)


def test_prefetching_helps_no_deterministic_algorithm():
    for instance, W in law(5):
        assert best_deterministic(instance, prefetch=True).ratio == max(1, W - 1)


@deep
def test_the_width_law_on_571_instances():
    cases = list(law(7))
    assert len(cases) == 571
    for instance, W in cases:
        assert best_deterministic(instance).ratio == max(1, W - 1)


def test_the_best_randomised_ratio_is_harmonic():
    cases = list(law(5, 2))
    assert len(cases) == 57
    for instance, W in cases:
        found = best_randomized(instance)
        assert (found.ratio, found.kind) == (harmonic(max(1, W - 1)), "rational")
        found.policy().check()
        found.adversary.check(found.works)


@deep
def test_the_best_randomised_ratio_on_565_instances():
    cases = list(law(7, 2))
    assert len(cases) == 565
    for instance, W in cases:
        assert best_randomized(instance).ratio == harmonic(max(1, W - 1))


@pytest.mark.parametrize(
    ("parents", "capacity"), [([0], 1), ([0, 1], 2), ([0, 0, 1], 3), ([0, 1, 2], 1), ([0, 1, 1], 5)]
)
def test_nothing_is_at_stake_where_everything_fits(parents, capacity):
    instance = Instance.of(PrefixTree.from_parents(parents), capacity)
    fixed, drawn = best_deterministic(instance), best_randomized(instance)
    assert fixed.ratio == drawn.ratio == 1
    check_played(fixed)
    drawn.policy().check()


def test_relabelled_trees_have_the_same_ratio():
    one = Instance.of(PrefixTree.from_parents([0, 0, 0, 1, 1]), 4)
    two = Instance.of(PrefixTree.from_parents([0, 1, 0, 0, 1]), 4)
    assert best_deterministic(one).ratio == best_deterministic(two).ratio == 3
    assert best_randomized(one).ratio == best_randomized(two).ratio == Fraction(11, 6)


def test_the_program_without_symmetry_has_the_same_value():
    works = work_functions(Instance.of(PrefixTree.from_parents([0, 0, 0, 1]), 2))
    orbits = Orbits.of(works)
    assert len(orbits.representatives) < len(works)
    sizes = [int((orbits.representative == q).sum()) for q in orbits.representatives]
    assert sum(sizes) == len(works)
    for q in range(len(works)):
        home = orbits.representative[q]
        assert (works.value[q][orbits.carry[q]] == works.value[home]).all()


def test_an_altered_algorithm_is_rejected():
    policy = best_randomized(Instance.of(PrefixTree.from_parents([0, 0, 0]), 2)).policy()
    policy.check()
    cheaper = replace(policy, ratio=policy.ratio - Fraction(1, 1000))
    with pytest.raises(VerificationError, match="potential"):
        cheaper.check()
    q = max(range(len(policy.distribution)), key=lambda q: len(policy.distribution[q]))
    policy.distribution[q][next(iter(policy.distribution[q]))] += Fraction(1, 7)
    with pytest.raises(VerificationError):
        policy.check()


def test_a_coupling_may_say_never_but_not_less():
    policy = best_randomized(Instance.of(PrefixTree.from_parents([0, 0, 0]), 2)).policy()
    moves, (i, j) = next(
        (moves, (i, j))
        for row in policy.coupling
        for moves in row
        for i, _ in moves
        for _, j in moves
        if (i, j) not in moves
    )
    moves[i, j] = Fraction(0)
    policy.check()
    moves[i, j] = Fraction(-1, 7)
    with pytest.raises(VerificationError, match="coupling"):
        policy.check()


def test_rounded_potentials_prove_a_little_more(monkeypatch):
    works = work_functions(Instance.of(PrefixTree.from_parents([0, 0, 0, 1]), 2))
    chance = ({1: Fraction(1, 2), 2: Fraction(1, 3), 3: Fraction(1, 6)},)
    exact, potential = offline_potentials(works, chance, (dict.fromkeys(chance[0], 0),), (0, 0))
    monkeypatch.setattr(minimax_adversary, "LONG", 1)
    rounded, near = offline_potentials(works, chance, (dict.fromkeys(chance[0], 0),), (0, 0))
    assert exact <= rounded < exact + Fraction(1, 10**9)
    assert max(abs(near[pair] - x) for pair, x in potential.items()) < Fraction(1, 10**9)
    assert potential != near


def test_an_altered_adversary_is_rejected():
    found = best_randomized(Instance.of(PrefixTree.from_parents([0, 0, 0]), 2))
    found.adversary.check(found.works)
    tiny = Fraction(1, 10**6)
    for altered in (
        replace(found.adversary, gain=found.adversary.gain + tiny),
        replace(found.adversary, opt=found.adversary.opt - tiny),
        replace(found.adversary, prefix=(1,)),
        replace(found.adversary, chance=({1: Fraction(1, 2), 2: Fraction(1, 3)},)),
    ):
        with pytest.raises(VerificationError):
            altered.check(found.works)


@pytest.mark.parametrize(
    ("parents", "capacity", "chosen"),
    [([0, 0, 0], 2, None), ([0, 0, 0, 1], 3, None), ([0, 0, 0, 0, 1], 3, [2, 3, 4, 5])],
)
def test_the_vertex_of_the_program_is_its_optimum_in_fractions(parents, capacity, chosen):
    orbits = Orbits.of(work_functions(Instance.of(PrefixTree.from_parents(parents), capacity, chosen)))
    hint = solve_program(orbits, allowed_states(orbits.works, tight=False))
    vertex = hint.exact()
    assert vertex is not None
    for q, shares in vertex.items():
        assert sum(x * hint.members[q][c] for c, x in shares.items()) == 1
        assert {c: float(x) for c, x in shares.items()} == pytest.approx(hint.probability[q], abs=1e-6)
    assert replace(hint, basis=None).exact() is None


def test_the_emitted_policy_plays_at_its_expected_cost():
    policy = best_randomized(Instance.of(PrefixTree.from_parents([0, 0, 0, 1]), 2)).policy()
    rng = np.random.default_rng(5)
    requests = rng.integers(1, 5, 40).tolist()
    expected, q = Fraction(0), 0
    for v in requests:
        expected += policy.loads[q][v - 1]
        q = int(policy.works.next[q, v - 1])
    runs = [policy.play(requests, rng) for _ in range(2000)]
    error = np.std(runs) / np.sqrt(len(runs))
    assert abs(np.mean(runs) - float(expected)) < 4 * error


def test_the_emitted_policy_as_json():
    policy = best_randomized(Instance.of(PrefixTree.from_parents([0, 0, 0]), 2)).policy()
    data = policy.to_json()
    assert data["tree"] == [0, 0, 0]
    assert data["ratio"] == "3/2"
    assert len(data["work_functions"]) == len(policy.works)
    assert data["work_functions"][0]["distribution"] == [[[], "1/1"]]
    first = data["work_functions"][0]["requests"][0]
    assert first == {"node": 1, "next": 1, "opt_increase": 1, "loads": "1/1", "moves": [[[], [1], "1/1"]]}


def test_the_search_stops_at_its_limit():
    moves = Moves.of(work_functions(Instance.of(PrefixTree.from_parents([0] * 5), 3)), prefetch=False)
    with pytest.raises(LimitError):
        solve(moves, 1)


def test_simplest_fractions():
    assert simplest_between(Fraction(1), Fraction(3)) == 2
    assert simplest_between(Fraction(1), Fraction(2)) == Fraction(3, 2)
    assert simplest_between(Fraction(5, 4), Fraction(4, 3)) == Fraction(9, 7)
    for a in range(1, 12):
        for b in range(1, 12):
            low, high = Fraction(a, b), Fraction(a, b) + Fraction(1, 37)
            middle = simplest_between(low, high)
            assert low < middle < high
            for d in range(1, middle.denominator):
                assert not low < Fraction(int(low * d) + 1, d) < high
