"""Every router against its rule in plain Python, on random histories in which workers die and clocks jump."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
from plain import RULES, compare

from kvtheory.errors import InputError
from kvtheory.model import PrefixTree
from kvtheory.registry import parse_router
from kvtheory.router import Arrival, Completion, Router, View
from kvtheory.routers.p2c import PowerOfTwoChoices
from kvtheory.routers.potential import Potential

HISTORIES = 12


@pytest.mark.parametrize("spec", RULES)
def test_choices_are_those_of_the_rule(spec: str) -> None:
    _, make, _ = parse_router(spec)
    assert sum(compare(make, RULES[spec], seed) for seed in range(HISTORIES)) == 60 * HISTORIES


def view_of(workers: int, seed: int = 0) -> View:
    return View(PrefixTree.from_parents([0]), workers, 1, np.array([0, 1]), seed=seed)


def arrivals(router: Router, count: int) -> list[int]:
    """Choices for requests that all arrive at once."""
    chosen = []
    for request in range(count):
        arrival = Arrival(request, 1, 1, request, 0.0)
        chosen.append(router.choose(arrival))
        router.on_dispatch(arrival, chosen[-1])
    return chosen


def test_two_choices_are_different_workers_drawn_alike_and_the_less_busy_wins() -> None:
    pairs: Counter[int] = Counter()
    for seed in range(1200):
        router = PowerOfTwoChoices(view_of(3, seed))
        router.outstanding[:] = (5, 1, 3)
        pairs[router.choose(Arrival(0, 1, 1, 0, 0.0))] += 1
    # worker 1 wins two of the three pairs, worker 2 the third, worker 0 none
    assert set(pairs) == {1, 2}
    assert abs(pairs[1] - 800) < 4 * (1200 * 2 / 9) ** 0.5
    assert PowerOfTwoChoices(view_of(1)).choose(Arrival(0, 1, 1, 0, 0.0)) == 0


def test_as_many_choices_as_workers_is_least_outstanding() -> None:
    router = PowerOfTwoChoices(view_of(5, 3), choices=9)
    assert sorted(Counter(arrivals(router, 20)).values()) == [4] * 5


@pytest.mark.parametrize("bound", [1.0, 1.25, 2.0])
def test_no_worker_takes_more_than_its_bound_of_one_hot_key(bound: float) -> None:
    _, make, _ = parse_router(f"hash_bounded:bound={bound}")
    loads = Counter(arrivals(make(view_of(7)), 61))
    assert max(loads.values()) == -(-Fraction(bound) * 61 // 7)


def test_a_key_moves_only_from_and_to_workers_that_come_and_go() -> None:
    _, make, _ = parse_router("session")
    view = view_of(9)
    router = make(view)
    before = [router.choose(Arrival(t, 1, 1, t, 0.0)) for t in range(400)]
    view.up[4] = False
    without = [router.choose(Arrival(t, 1, 1, t, 0.0)) for t in range(400)]
    assert [b for a, b in zip(before, without, strict=True) if a != 4] == [a for a in before if a != 4]
    assert set(without) == {0, 1, 2, 3, 5, 6, 7, 8}
    assert len(set(before)) == 9


def test_warm_dynamo_draws_as_the_softmax_says() -> None:
    _, make, _ = parse_router("dynamo:temperature=0.5")
    view = view_of(3)
    router = make(view)
    router.outstanding[:] = 0
    router.costs = lambda arrival: np.array([4.0, 2.0, 3.0])  # type: ignore[attr-defined]
    found = Counter(router.choose(Arrival(0, 1, 1, 0, 0.0)) for _ in range(6000))
    weights = np.exp(-np.array([1.0, 0.0, 0.5]) / 0.5)
    expected = 6000 * weights / weights.sum()
    assert all(abs(found[w] - expected[w]) < 4 * expected[w] ** 0.5 for w in range(3))


# --- the exponential potential --------------------------------------------------------------------------


def serve_by_potential(costs: list[list[int]], gamma: float = 2.0) -> tuple[list[int], Potential]:
    """Assign jobs of given costs; the workers chosen."""
    view = view_of(len(costs[0]))
    router = Potential(view, gamma=gamma)
    view.truth = SimpleNamespace(costs_of=lambda request: np.array(costs[request], np.float64))  # type: ignore[assignment]
    return arrivals(router, len(costs)), router


def plain_potential(costs: list[list[int]], gamma: float = 2.0) -> list[int]:
    """The published rule: fail and double whenever the least rise lifts a load above beta."""
    workers = len(costs[0])
    a = 1 + 1 / gamma
    beta = np.log(gamma * workers / (gamma - 1)) / np.log(a)
    guess = float(min(costs[0]))
    load = [0.0] * workers
    chosen = []
    for cost in costs:
        while True:
            fits = min(cost) <= guess
            rises = [a ** ((x + c) / guess) - a ** (x / guess) for x, c in zip(load, cost, strict=True)]
            best = rises.index(min(rises))
            if fits and load[best] + cost[best] <= beta * guess:
                break
            guess, load = 2 * guess, [0.0] * workers
        load[best] += cost[best]
        chosen.append(best)
    return chosen


@pytest.mark.parametrize("seed", range(20))
def test_potential_is_the_published_rule_and_within_its_bound(seed: int) -> None:
    dice = np.random.default_rng(seed)
    workers, jobs = int(dice.integers(1, 4)), int(dice.integers(1, 8))
    costs = dice.integers(1, 30, (jobs, workers)).tolist()
    chosen, router = serve_by_potential(costs)
    assert chosen == plain_potential(costs)

    def makespan(where: tuple[int, ...] | list[int]) -> int:
        return max(sum(c[w] for c, w in zip(costs, where, strict=True) if w == k) for k in range(workers))

    best = min(makespan(where) for where in product(range(workers), repeat=jobs))
    assert makespan(chosen) <= 4 * router.beta * best


def test_potential_takes_huge_and_free_jobs() -> None:
    chosen, _ = serve_by_potential([[0, 5], [1, 1], [10**9, 10**12], [1, 1]])
    assert chosen[:3] == [0, 0, 0]


def test_potential_forgets_what_died() -> None:
    view = view_of(2)
    router = Potential(view)
    view.truth = SimpleNamespace(costs_of=lambda request: np.array([1.0, 1.0]))  # type: ignore[assignment]
    chosen = arrivals(router, 2)
    router.on_finish(Completion(1, chosen[1], 0.0, 1.0, 1.0, 0))
    lost = [0]
    router.on_down(chosen[0], lost, 0.0)
    assert router.load[chosen[0]] == 0.0
    assert router.load[chosen[1]] == 1.0


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("p2c:choices=0", "at least one is drawn"),
        ("session:points=0", "0 is not in 1..10000"),
        ("hash_bounded:bound=0.9", "leaves no room"),
        ("hash_bounded:prefix=0", "at least one block"),
        ("cache_aware:threshold=2", "2.0 is not in 0..1"),
        ("preble:window=0", "longer than 0"),
        ("preble:imbalance=0.5", "below 1"),
        ("dynamo:weight=-1", "below 0"),
        ("dynamo:temperature=-1", "below 0"),
        ("llmd:queue=-1", "below 0"),
        ("skylb:pending=0", "no worker would ever be available"),
        ("potential:gamma=1", "not above 1"),
    ],
)
def test_options_out_of_range_are_one_clear_line(spec: str, message: str) -> None:
    _, make, _ = parse_router(spec)
    with pytest.raises(InputError, match=message):
        make(view_of(2))
