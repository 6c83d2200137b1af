"""Where Belady stops being optimal: the smallest cases, with exact values (THEORY, Offline 2 and 3)."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from kvtheory.model import Trace
from kvtheory.offline.belady import belady
from kvtheory.offline.brute import brute
from kvtheory.offline.eviction_ilp import solve_ilp
from kvtheory.offline.flow import solve_flow
from kvtheory.offline.intervals import intervals_of
from kvtheory.offline.rounding import score_schedule
from kvtheory.offline.witness import Replayed, replay_schedule

TWIG = [0, 1, 1, 0]


def beladys(
    trace: Trace, capacity: int, cost: list[int], *, size: list[int] | None = None, bypass: bool = False
) -> Replayed:
    """Belady's schedule, priced; with sizes, farthest next use until it fits."""
    parent, requests = trace.tree.parent.tolist(), trace.requests.tolist()
    if size is None:
        plan = belady(trace, capacity, bypass=bypass, witness=True)
        victims = [step.tolist() for step in np.split(plan.victims, plan.offsets[1:-1])]
    else:
        problem = intervals_of(trace, capacity, cost, size=size)
        victims = score_schedule(problem, -problem.end.astype(float))
    return replay_schedule(parent, requests, capacity, victims, bypass=bypass, miss_cost=cost, size=size)


@pytest.mark.parametrize(
    ("cost", "requests", "ratio"),
    [
        ([0, 1, 2, 2, 1], [2, 4, 3, 4, 2], (8, 7)),
        ([0, 101, 102, 102, 101], [2, 4, 3, 4, 2], (508, 507)),
        ([0, 9, 8, 8, 9], [2, 4, 3, 2, 4], (43, 42)),
    ],
)
def test_costs_that_depend_on_depth(cost: list[int], requests: list[int], ratio: tuple[int, int]) -> None:
    trace = Trace.from_parents(TWIG, requests)
    found = solve_ilp(trace, 3, cost=cost)
    assert found.optimal
    assert (beladys(trace, 3, cost).total, found.value) == ratio
    assert brute(trace.tree, requests, 3, cost=cost) == ratio[1]
    assert solve_flow(trace, 3, cost=cost).value == ratio[1]


def test_sizes_with_whole_edge_eviction() -> None:
    size, requests = [0, 1, 1, 2], [1, 3, 2, 1, 3]
    trace = Trace.from_parents([0, 0, 0], requests)
    found = solve_ilp(trace, 3, cost=size, size=size)
    assert found.optimal
    assert (beladys(trace, 3, size, size=size).total, found.value) == (6, 5)
    assert brute(trace.tree, requests, 3, cost=size, size=size) == 5


def test_the_worst_single_request() -> None:
    requests = [1, 3, 4, 3, 2]
    trace = Trace.from_parents([0, 1, 0, 0], requests)
    cost = [0, 1, 1, 1, 1]
    found = solve_ilp(trace, 2, objective="latency")
    assert found.optimal
    assert (max(beladys(trace, 2, cost).costs), found.value) == (2, 1)
    assert brute(trace.tree, requests, 2, objective="latency") == 1


def test_belady_without_bypass_where_it_is_allowed() -> None:
    requests = [1, 2, 1]
    trace = Trace.from_parents([0, 0], requests)
    assert beladys(trace, 1, [0, 1, 1]).total == 3
    for solve in (solve_ilp, solve_flow):
        assert solve(trace, 1, bypass=True).value == 2
    assert beladys(trace, 1, [0, 1, 1], bypass=True).total == 2


def test_the_relaxation_is_fractional_where_costs_grow() -> None:
    trace = Trace.from_parents([0, 0, 1], [3, 2, 3, 1])
    cost = [0, 1, 1, 2]
    relaxed = solve_flow(trace, 2, cost=cost)
    assert (relaxed.lower_bound, relaxed.optimal) == (Fraction(11, 2), False)
    found = solve_ilp(trace, 2, cost=cost)
    assert (found.value, found.lower_bound, found.optimal) == (6, 6, True)
    assert brute(trace.tree, [3, 2, 3, 1], 2, cost=cost) == 6


@pytest.mark.parametrize("seed", range(10))
def test_belady_is_within_dearest_over_cheapest(seed: int) -> None:
    dice = np.random.default_rng(seed)
    parents = [int(dice.integers(0, v + 1)) for v in range(7)]
    trace = Trace.from_parents(parents, [])
    fit = [v for v in range(1, 8) if trace.tree.depth[v] <= 3]
    trace = Trace.from_parents(parents, dice.choice(fit, 14).tolist())
    cost = [0, *dice.integers(1, 6, 7).tolist()]
    best = solve_ilp(trace, 3, cost=cost).value
    used = {u for v in trace.requests.tolist() for u in trace.tree.path(v)}
    dearest, cheapest = max(cost[u] for u in used), min(cost[u] for u in used)
    assert beladys(trace, 3, cost).total * cheapest <= best * dearest
