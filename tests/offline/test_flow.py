"""The flow and the interval relaxation against brute force, Belady, and each other."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtheory.errors import InputError, VerificationError
from kvtheory.model import Trace
from kvtheory.offline import flow
from kvtheory.offline.belady import belady
from kvtheory.offline.brute import brute
from kvtheory.offline.exchange import closed_keep, kept_by, victims_of
from kvtheory.offline.flow import solve_flow
from kvtheory.offline.intervals import capacity_steps, interval_program, intervals_of
from kvtheory.offline.network import network_keep
from kvtheory.offline.program import IntegerProgram, Rows
from kvtheory.testing.instances import Instance, all_instances, corpus, random_instance
from kvtheory.testing.strategies import instances

LARGEST_BRUTE = 10


def unit(instance: Instance, *, bypass: bool = False) -> int:
    return instance.misses(belady(instance.trace, instance.capacity, bypass=bypass).hit.tolist())


def falling(instance: Instance) -> list[int]:
    """Costs that never grow with depth."""
    return [0, *(3 * (20 - d) for d in instance.depth[1:])]


@pytest.mark.parametrize("bypass", [False, True])
def test_unit_costs_are_beladys_on_every_small_instance(bypass: bool) -> None:
    for instance in all_instances(3, 4):
        found = solve_flow(instance.trace, instance.capacity, bypass=bypass)
        assert found.optimal
        assert found.value == found.misses == unit(instance, bypass=bypass)


@given(instances(max_nodes=9, max_requests=25), st.booleans())
def test_unit_costs_are_beladys(instance: Instance, bypass: bool) -> None:
    found = solve_flow(instance.trace, instance.capacity, bypass=bypass)
    assert found.optimal
    assert found.value == unit(instance, bypass=bypass)


@given(instances(max_nodes=7, max_requests=10), st.booleans())
def test_falling_costs_are_exact(instance: Instance, bypass: bool) -> None:
    cost = falling(instance)
    best = brute(instance.tree, instance.requests, instance.capacity, bypass=bypass, cost=cost)
    for method in flow.METHODS:
        found = solve_flow(instance.trace, instance.capacity, cost=cost, bypass=bypass, method=method)
        assert found.optimal
        assert found.value == best


@given(instances(max_nodes=7, max_requests=10), st.booleans(), st.data())
def test_any_costs_are_bounded_from_both_sides(instance: Instance, bypass: bool, data: st.DataObject) -> None:
    n = instance.tree.n
    cost = [0, *data.draw(st.lists(st.integers(0, 9), min_size=n, max_size=n))]
    best = brute(instance.tree, instance.requests, instance.capacity, bypass=bypass, cost=cost)
    found = solve_flow(instance.trace, instance.capacity, cost=cost, bypass=bypass)
    assert found.lower_bound <= best <= found.value
    assert found.optimal == (found.lower_bound == found.value)


def test_longer_instances_agree_with_belady() -> None:
    for instance in corpus():
        assert solve_flow(instance.trace, instance.capacity).value == unit(instance)
    for seed in range(5):
        instance = random_instance(seed, max_nodes=60, max_requests=400)
        assert solve_flow(instance.trace, instance.capacity).value == unit(instance)


@pytest.mark.parametrize("bypass", [False, True])
def test_the_network_and_the_program_agree(bypass: bool) -> None:
    for seed in range(8):
        instance = random_instance(seed, max_nodes=20, max_requests=60)
        found = {
            method: solve_flow(
                instance.trace, instance.capacity, cost=falling(instance), bypass=bypass, method=method
            )
            for method in flow.METHODS
        }
        assert found["network"].optimal
        assert found["network"].value == found["lp"].value


def test_the_smallest_fractional_instance() -> None:
    found = solve_flow(Trace.from_parents([0, 0, 1], [3, 2, 3, 1]), 2, cost=[0, 1, 1, 2])
    assert (found.value, found.lower_bound, found.status) == (6, Fraction(11, 2), "bound")
    assert not found.optimal


def test_fractions_scale_exactly() -> None:
    trace = Trace.from_parents([0, 0, 1], [3, 2, 3, 1])
    third = [0, Fraction(1, 3), Fraction(1, 3), Fraction(2, 3)]
    found = solve_flow(trace, 2, cost=third)
    assert (found.value, found.lower_bound) == (2, Fraction(11, 6))


@given(instances(max_nodes=8, max_requests=20), st.integers(0, 3))
def test_a_price_for_hits_changes_nothing(instance: Instance, price: int) -> None:
    n = instance.tree.n
    plain = solve_flow(instance.trace, instance.capacity)
    priced = solve_flow(instance.trace, instance.capacity, cost=[0] + [4] * n, hit_cost=[0] + [price] * n)
    accesses = sum(instance.depth[v] for v in instance.requests)
    assert priced.optimal
    assert priced.value == 4 * plain.misses + price * (accesses - plain.misses)


@given(instances(max_nodes=8, max_requests=20), st.booleans())
def test_merging_runs_changes_nothing(instance: Instance, bypass: bool) -> None:
    miss = falling(instance)
    values = []
    for merge in (True, False):
        problem = intervals_of(instance.trace, instance.capacity, miss, bypass=bypass, merge=merge)
        keep, _, bound = flow.relaxed(problem)
        assert keep is not None
        keep = closed_keep(problem, keep)
        assert problem.value(keep) == bound
        values.append(bound)
        victims = victims_of(problem, keep)
        assert (kept_by(problem, victims) >= keep).all()
    assert values[0] == values[1]


@given(instances(max_nodes=8, max_requests=20), st.booleans())
def test_subtracting_rows_and_dropping_steps_change_nothing(instance: Instance, bypass: bool) -> None:
    miss = [0, *([1] * instance.tree.n)]
    problem = intervals_of(instance.trace, instance.capacity, miss, bypass=bypass)
    rows, network = interval_program(problem), interval_program(problem, differenced=True)
    keep, _ = network_keep(problem)
    assert rows.feasible(keep)
    full = network.cost.size - len(problem)
    room, low, high = capacity_steps(problem)
    slack = room.copy()
    for i in range(len(problem)):
        slack[low[i] : high[i]] -= problem.sizes[i] * keep[i]
    assert full == room.size
    point = np.concatenate([keep, slack])
    assert network.feasible(point)
    assert network.value(point) == rows.value(keep) == problem.value(keep)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"cost": [0, 1, -1, 1]}, "field 'cost': entry 2 is -1: negative"),
        ({"cost": [0, 1, float("nan"), 1]}, "entry 2 is nan: costs are ints or Fractions, never floats"),
        ({"cost": [0, 1.5, 1, 1]}, "entry 1 is 1.5"),
        ({"cost": [0, 1, 1]}, "3 entries for 4"),
        ({"hit_cost": [0, 2, 1, 1]}, "node 1: a hit is dearer than a miss"),
        ({"method": "simplex"}, "'simplex' is not one of lp, network"),
        ({"method": "network", "cost": [0, 1, 1, 2]}, "closure is not free"),
    ],
)
def test_bad_input_is_refused_with_its_reason(arguments: dict[str, object], reason: str) -> None:
    trace = Trace.from_parents([0, 0, 1], [3, 2, 3, 1])
    with pytest.raises(InputError, match=reason):
        solve_flow(trace, 2, **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("capacity", [0, -1, 1])
def test_a_path_must_fit(capacity: int) -> None:
    with pytest.raises(InputError, match="capacity"):
        solve_flow(Trace.from_parents([0, 1], [2]), capacity)


def test_out_of_time_is_never_optimal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "_linprog", lambda *_: None)
    found = solve_flow(Trace.from_parents([0, 0, 0], [1, 2, 3, 1, 2, 3]), 2)
    assert (found.status, found.optimal) == ("bound", False)
    assert found.lower_bound <= found.value


def test_a_lying_relaxation_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    trace = Trace.from_parents([0, 0, 0], [1, 2, 3, 1, 2, 3])
    honest = flow.relaxed

    def too_much(problem, **_):  # type: ignore[no-untyped-def]
        return problem.most, problem.most.astype(float), honest(problem)[2]

    monkeypatch.setattr(flow, "relaxed", too_much)
    with pytest.raises(VerificationError, match="nodes in a cache of 2"):
        solve_flow(trace, 2)

    def too_high(problem, **_):  # type: ignore[no-untyped-def]
        keep, point, bound = honest(problem)
        return keep, point, bound + 1

    monkeypatch.setattr(flow, "relaxed", too_high)
    with pytest.raises(VerificationError, match="above a schedule of cost"):
        solve_flow(trace, 2)


def test_no_dual_however_wrong_proves_too_much() -> None:
    dice = np.random.default_rng(0)
    for seed in range(20):
        instance = random_instance(seed, max_nodes=7, max_requests=12)
        miss = [0, *dice.integers(0, 9, instance.tree.n).tolist()]
        best = brute(instance.tree, instance.requests, instance.capacity, cost=miss)
        problem = intervals_of(instance.trace, instance.capacity, miss)
        for differenced in (False, True):
            program = interval_program(problem, differenced=differenced)
            for scale in (0.1, 1.0, 1e3, 1e12):
                dual = dice.normal(size=len(program.rows)) * scale
                assert program.exact_bound(dual) <= best


def test_large_numbers_leave_int64_for_python_ints() -> None:
    big = 10**15
    program = IntegerProgram(
        np.array([-big, -big]), np.array([1, 1]), Rows.of([([0, 1], [1, 1], 1)]), offset=2 * big
    )
    assert program.exact_bound(np.array([-float(big)])) == big
    assert program.exact_bound(np.array([-float(big)]), denominators=(1 << 30,)) == big
    true = IntegerProgram(np.array([1]), np.array([1]), Rows.of([([0], [-(1 << 33)], 1)]))
    y = -(1 << 34)  # a product of 2 ** 67, though every sum of the bound that leaves it out is small
    assert true.exact_bound(np.array([float(y)]), denominators=(1,)) == y + 1 - (1 << 67)
    assert program.step == big
    assert program.round_up(Fraction(1, 2)) == big
