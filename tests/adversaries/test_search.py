"""What a search says of a file is what other engines say of it; and it finds what enumeration finds."""

import random
from dataclasses import replace
from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from adversaries.search.beam import WIDTH, beam_search
from adversaries.search.candidate import BudgetSpent, Hunt
from adversaries.search.cem import LONGEST, draw_cycle
from adversaries.search.expectation import expected_misses, least_misses
from adversaries.search.hill import moved
from adversaries.search.run import METHODS, check, search
from adversaries.search.score import Arena, Stand, file_of
from kvtheory.engine.exact import AgeNeeded
from kvtheory.engine.reference import ReferenceEngine
from kvtheory.errors import InputError, VerificationError
from kvtheory.offline.brute import brute
from kvtheory.policy import Policy
from kvtheory.ratio.belief import belief_graph
from kvtheory.ratio.exact import parse_instance
from kvtheory.ratio.game import exact_ratio
from kvtheory.registry import policies
from kvtheory.sources import open_source

GAMES = [("star:4", 3), ("0,1,1,0,4", 3), ("0,1,2,1,0", 3), ("0,0,1,1,2,2", 4)]
RANKED = sorted(name for name, policy in policies().items() if not policy.randomised())
DRAWN = sorted(name for name, policy in policies().items() if policy.randomised())


class Constant(Policy):
    """Every leaf alike: insertion decides, and the states have to hold it."""

    name = "constant"

    @staticmethod
    def rank(s, v):
        return 0


def draws(instance, count, seed, *, length=40):
    rng = random.Random(seed)
    requests = range(len(instance.requestable))
    for _ in range(count):
        prefix, cycle = (rng.choices(requests, k=rng.randint(low, 9)) for low in (0, 1))
        yield prefix, cycle, rng.randint(1, length)


def reference(instance, policy, numbers, seed=0):
    engine = ReferenceEngine(instance.tree, instance.capacity, policy, seed)
    nodes = [instance.requestable[r] for r in numbers]
    depth = instance.tree.depth
    return sum(int(depth[v] - depth[engine.serve(v)[0]]) for v in nodes)


def optimum(instance, numbers):
    return brute(instance.tree, [instance.requestable[r] for r in numbers], instance.capacity)


# --- what is counted ---


@pytest.mark.parametrize(("tree", "capacity"), GAMES)
@pytest.mark.parametrize("name", RANKED)
def test_a_ranked_policy_is_counted_as_the_reference_and_brute_force_count(tree, capacity, name):
    instance = parse_instance(tree, capacity, None)
    arena = Arena(instance, policies()[name])
    stand = Stand(instance, policies()[name])
    for prefix, cycle, length in draws(instance, 25, 1):
        numbers = file_of(prefix, cycle, length)
        assert len(numbers) == length
        assert numbers == [*prefix, *cycle * 50][:length]
        found = arena.score(prefix, cycle, length)
        assert found.alg == reference(instance, arena.policy, numbers)
        assert found.opt == optimum(instance, numbers)
        assert stand.score(prefix, cycle, length) == found
        for said in (arena.exact(numbers), stand.exact(numbers)):
            assert (said.alg, said.opt, said.kind, said.ci95) == (found.alg, found.opt, "count", None)


@pytest.mark.parametrize(("tree", "capacity"), GAMES)
@pytest.mark.parametrize("name", DRAWN)
def test_an_expectation_is_that_of_the_exact_distribution(tree, capacity, name):
    instance = parse_instance(tree, capacity, None)
    policy = policies()[name]
    arena = Arena(instance, policy)
    beliefs = belief_graph(instance, policy, budget=1).beliefs.without_symmetry()
    for prefix, cycle, length in draws(instance, 12, 2):
        numbers = file_of(prefix, cycle, length)
        belief, wanted = beliefs.start, Fraction(0)
        for r in numbers:
            paid, belief = beliefs.serve(belief, instance.requestable[r])
            wanted += paid
        said = arena.exact(numbers)
        found = arena.score(prefix, cycle, length)
        assert abs(found.alg - wanted) < 1e-7
        assert found.opt == said.opt == optimum(instance, numbers)
        low = least_misses(arena.table, numbers)
        assert wanted - Fraction(1, 10**9) < low <= wanted
        if said.kind == "expectation":
            assert said.alg == wanted == expected_misses(arena.table, numbers)
        else:
            assert said.kind == "expectation, rounded down"
            assert said.alg == low
            assert expected_misses(arena.table, numbers) is None


def test_fractions_of_more_than_forty_digits_are_rounded_down():
    instance = parse_instance("star:4", 3, None)
    arena = Arena(instance, policies()["random"])
    kinds = {length: arena.exact(file_of([], [0, 1, 2, 3], length)).kind for length in (30, 400)}
    assert kinds == {30: "expectation", 400: "expectation, rounded down"}


@pytest.mark.parametrize("name", ["fifo", "lru", "rlt", "random", "mru"])
def test_a_cycle_that_is_multiplied_counts_as_one_that_is_walked(name):
    instance = parse_instance("0,1,1,0,4", 3, None)
    arena = Arena(instance, policies()[name])
    for prefix, cycle, _ in draws(instance, 10, 3):
        for length in (997, 1500):
            walked = arena.score(file_of(prefix, cycle, length), cycle, length)
            before = arena.steps
            multiplied = arena.score(prefix, cycle, length)
            assert multiplied.opt == walked.opt
            assert multiplied.alg == pytest.approx(walked.alg, abs=1e-6)
            assert name == "random" or arena.steps - before < length / 2


def test_a_policy_that_leaves_ties_to_insertion_is_searched_with_ages():
    instance = parse_instance("star:4", 2, None)
    with pytest.raises(AgeNeeded):
        Arena(instance, Constant).score([], [0, 1, 2, 3], 50)
    for method in METHODS:
        found = search(instance, Constant, method, length=60, evaluations=100)
        assert found.exact.kind == "count"  # and `check` replayed it with the kernel


# --- what is found ---


def best_of_all(instance, name, length):
    """The largest ALG/OPT of all files of that length, by enumeration."""
    policy = policies()[name]
    every = product(range(len(instance.requestable)), repeat=length)
    return max(
        Fraction(reference(instance, policy, numbers), optimum(instance, numbers)) for numbers in every
    )


@pytest.mark.parametrize("method", ["hill", "beam", "cem"])
@pytest.mark.parametrize(
    ("tree", "capacity", "name", "length"),
    [("star:3", 2, "lru", 6), ("star:3", 2, "lfu", 6), ("0,0,1", 2, "fifo", 6), ("0,0,0,1", 2, "mru", 5)],
)
def test_the_best_of_all_short_files_is_found(method, tree, capacity, name, length):
    instance = parse_instance(tree, capacity, None)
    found = search(instance, policies()[name], method, length=length, evaluations=4000, seed=1)
    assert found.exact.ratio == best_of_all(instance, name, length)
    assert len(found.requests) == length


@pytest.mark.parametrize(
    ("method", "tree", "capacity", "name", "evaluations"),
    [
        ("hill", "star:4", 3, "lru", 3000),
        ("hill", "0,1,0,3,0", 3, "fifo", 3000),
        ("hill", "0,0,0,0", 3, "rlt", 3000),
        ("beam", "0,1,0,3,0,0", 3, "lru", 300),
        ("beam", "star:5", 3, "rlt", 300),
        ("cem", "star:5", 4, "fifo", 3000),
        ("cem", "star:4", 3, "rlt", 3000),
    ],
)
def test_within_five_percent_of_the_exact_ratio(method, tree, capacity, name, evaluations):
    instance = parse_instance(tree, capacity, None)
    found = search(instance, policies()[name], method, evaluations=evaluations)
    assert found.exact.ratio >= Fraction(19, 20) * exact_ratio(instance, policies()[name]).ratio
    assert found.evaluations <= evaluations


def test_beam_positions_are_distinct_and_no_more_than_its_width(monkeypatch):
    from adversaries.search import beam as module

    seen = []

    def watched(children, width, rho, salt):
        chosen = module_chosen(children, width, rho, salt)
        seen.append((len(chosen), len(set(children.key[chosen].tolist()))))
        return chosen

    module_chosen = module._chosen
    monkeypatch.setattr(module, "_chosen", watched)
    hunt = Hunt(Arena(parse_instance("star:5", 3, None), policies()["rlt"]), 200, 100)
    with pytest.raises(BudgetSpent):
        beam_search(hunt, 0)
    assert all(count == distinct <= 2 * WIDTH for count, distinct in seen)
    assert max(seen)[0] >= WIDTH


@pytest.mark.parametrize("method", ["hill", "beam", "cem"])
def test_the_same_seed_finds_the_same_file_and_another_looks_elsewhere(method):
    instance, policy = parse_instance("0,1,1,0,4", 3, None), policies()["rlt"]
    one, same, other = (
        search(instance, policy, method, length=300, evaluations=200, seed=seed) for seed in (5, 5, 6)
    )
    assert one.to_json() == same.to_json()
    assert one.curve == same.curve
    assert (one.prefix, one.cycle) != (other.prefix, other.cycle)
    ratios = [ratio for _, ratio in one.curve]
    assert ratios == sorted(set(ratios))
    assert one.curve[-1][0] <= one.evaluations == 200


@pytest.mark.parametrize("method", ["hill", "beam", "cem"])
@pytest.mark.parametrize("evaluations", [1, 2])
def test_the_smallest_budgets_end_with_a_file(method, evaluations):
    instance = parse_instance("star:3", 2, None)
    found = search(instance, policies()["lru"], method, length=50, evaluations=evaluations)
    assert len(found.requests) == 50
    assert found.evaluations <= evaluations
    assert found.exact.ratio >= 1


def test_a_move_changes_requests_only_and_reaches_every_kind():
    rng = random.Random(4)
    prefix, cycle = [0, 1], [2, 0, 1, 1]
    grown, shrunk = set(), set()
    for _ in range(3000):
        new_prefix, new_cycle = moved(prefix, cycle, 3, rng)
        assert set(new_prefix + new_cycle) <= {0, 1, 2}
        assert (prefix, cycle) == ([0, 1], [2, 0, 1, 1])
        (grown if len(new_cycle) > 4 else shrunk).add(tuple(new_cycle))
    assert {(2, 0, 1, 1, 2, 0, 1, 1), (2, 0, 0, 1, 1)} <= grown
    assert {(1, 1, 0, 2), (1, 0, 2, 2), (0, 2, 1, 1), ()} & shrunk >= {(1, 1, 0, 2), ()}


def test_a_chain_draws_cycles_as_long_as_it_says():
    stay = 0.75
    chain = np.array([[stay, 1 - stay], [1.0, 0.0]])
    rng = np.random.default_rng(0)
    sizes = [len(draw_cycle(chain, rng)) for _ in range(4000)]
    assert 3.8 < np.mean(sizes) < 4.2  # geometric, mean 4; the seed is fixed
    assert draw_cycle(np.array([[0.0, 1.0], [0.0, 1.0]]), rng) == [0]
    assert len(draw_cycle(np.array([[1.0, 0.0], [1.0, 0.0]]), rng)) == LONGEST


# --- what is refused ---


def test_a_lie_about_a_file_is_seen():
    instance = parse_instance("star:4", 3, None)
    found = search(instance, policies()["lru"], length=100, evaluations=20)
    check(found)
    for lie in ({"opt": found.exact.opt - 1}, {"alg": found.exact.alg + 1}):
        with pytest.raises(VerificationError):
            check(replace(found, exact=replace(found.exact, **lie)))


@pytest.mark.parametrize(
    ("arguments", "field"),
    [({"length": 0}, "length"), ({"evaluations": 0}, "evaluations"), ({"method": "hilly"}, None)],
)
def test_wrong_arguments(arguments, field):
    with pytest.raises(InputError) as error:
        search(parse_instance("star:3", 2, None), policies()["lru"], **arguments)
    assert error.value.field == field


def test_the_written_file_is_what_was_scored(tmp_path):
    instance = parse_instance("0,1,1,0,4", 3, "2,3,5")
    found = search(instance, policies()["lru"], length=200, evaluations=300)
    assert set(found.requests) <= {2, 3, 5}
    found.write(tmp_path / "w.jsonl")
    trace = open_source(str(tmp_path / "w.jsonl"))
    assert [trace.ids[v] for v in trace.requests] == found.requests
    stand = Stand(instance, found.policy)
    assert (stand.misses(trace, 0), stand.opt(trace)) == (found.exact.alg, found.exact.opt)
