"""The compact integer program against brute force, and what must hold of optima of any size."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtheory import registry
from kvtheory.engine.kernel import replay
from kvtheory.errors import InputError, VerificationError
from kvtheory.model import PrefixTree, Trace
from kvtheory.offline import eviction_ilp
from kvtheory.offline.belady import belady
from kvtheory.offline.branch import Search
from kvtheory.offline.brute import brute
from kvtheory.offline.closure import Closure
from kvtheory.offline.eviction_ilp import solve_ilp
from kvtheory.offline.flow import solve_flow
from kvtheory.offline.gomory import gomory_rows, zero_half_rows
from kvtheory.offline.intervals import intervals_of
from kvtheory.offline.program import IntegerProgram
from kvtheory.offline.pulp_solver import Claim, solve_pulp
from kvtheory.offline.witness import replay_schedule
from kvtheory.rng import SplitMix64
from kvtheory.testing.instances import Instance, all_instances, line, linear_extension, random_instance, star
from kvtheory.testing.strategies import instances


def grown(nodes: int, requests: int, capacity: int, seed: int) -> Instance:
    """A deep random tree, requests uniform over the nodes that fit."""
    dice = random.Random(seed)
    parents = tuple(v if dice.random() < 0.6 else dice.randint(0, v) for v in range(nodes))
    depth = [0]
    for p in parents:
        depth.append(depth[p] + 1)
    fit = [v for v in range(1, nodes + 1) if depth[v] <= capacity]
    return Instance(parents, capacity, tuple(dice.choice(fit) for _ in range(requests)))


def worst_or_total(costs: tuple[int | Fraction, ...], objective: str) -> int | Fraction:
    return sum(costs) if objective == "total" else max(costs, default=0)


def test_every_tiny_instance_with_costs_that_grow_with_depth() -> None:
    for instance in all_instances(3, 4):
        cost = [d * d for d in instance.depth]
        found = solve_ilp(instance.trace, instance.capacity, cost=cost)
        assert found.optimal
        assert found.value == brute(instance.tree, instance.requests, instance.capacity, cost=cost)


@given(
    instances(max_nodes=7, max_requests=10), st.booleans(), st.sampled_from(["total", "latency"]), st.data()
)
def test_any_costs_sizes_and_hit_prices(
    instance: Instance, bypass: bool, objective: str, data: st.DataObject
) -> None:
    n = instance.tree.n
    cost = [0, *data.draw(st.lists(st.integers(0, 9), min_size=n, max_size=n))]
    hit = [0, *(data.draw(st.integers(0, cost[v])) for v in range(1, n + 1))]
    size = [0, *data.draw(st.lists(st.integers(1, 3), min_size=n, max_size=n))]
    capacity = max([instance.capacity, *(sum(size[u] for u in instance.path(v)) for v in instance.requests)])
    shared = {"bypass": bypass, "cost": cost, "hit_cost": hit, "size": size, "objective": objective}
    best = brute(instance.tree, instance.requests, capacity, **shared)  # type: ignore[arg-type]
    found = solve_ilp(instance.trace, capacity, **shared)  # type: ignore[arg-type]
    assert found.optimal
    assert found.value == best
    seen = replay_schedule(
        instance.tree.parent.tolist(),
        instance.requests,
        capacity,
        found.victims,
        bypass=bypass,
        miss_cost=cost,
        hit_cost=hit,
        size=size,
    )
    assert worst_or_total(seen.costs, objective) == found.value
    assert seen.misses == found.misses


@given(instances(max_nodes=9, max_requests=25), st.booleans())
def test_unit_costs_are_beladys_and_the_flows(instance: Instance, bypass: bool) -> None:
    hits = belady(instance.trace, instance.capacity, bypass=bypass).hit
    found = solve_ilp(instance.trace, instance.capacity, bypass=bypass)
    assert found.optimal
    assert found.value == instance.misses(hits.tolist())
    assert found.value == solve_flow(instance.trace, instance.capacity, bypass=bypass).value


@pytest.mark.parametrize("seed", range(4))
def test_middle_sized_instances_are_proved(seed: int) -> None:
    instance = grown(40, 150, 10, seed)
    cost = [4**d if d < 6 else 4096 for d in instance.depth]
    found = solve_ilp(instance.trace, instance.capacity, cost=cost)
    relaxed = solve_flow(instance.trace, instance.capacity, cost=cost)
    assert found.optimal
    assert relaxed.lower_bound <= found.value <= relaxed.value


def test_fractions_scale_exactly() -> None:
    trace = Trace.from_parents([0, 0, 1], [3, 2, 3, 1])
    found = solve_ilp(trace, 2, cost=[0, Fraction(1, 3), Fraction(1, 3), Fraction(2, 3)])
    assert (found.value, found.optimal) == (2, True)
    found = solve_ilp(trace, 2, cost=[0, Fraction(1, 7), Fraction(1, 7), Fraction(2, 7)])
    assert found.value == Fraction(6, 7)


@pytest.mark.parametrize("seed", range(6))
def test_no_online_policy_beats_it(seed: int) -> None:
    instance = grown(20, 80, 6, seed)
    tree, requests = instance.tree, instance.requests
    cost = [0, *(random.Random(seed).randint(1, 9) for _ in range(tree.n))]
    best = solve_ilp(instance.trace, instance.capacity, cost=cost).value
    for policy in registry.policies().values():
        hit = replay(instance.trace, instance.capacity, policy, seed).hit.tolist()
        missed = [instance.path(v)[instance.depth[h] :] for v, h in zip(requests, hit, strict=True)]
        paid = sum(cost[u] for path in missed for u in path)
        assert best <= paid, policy.name


@pytest.mark.parametrize("bypass", [False, True])
def test_more_capacity_never_hurts(bypass: bool) -> None:
    for seed in range(4):
        instance = grown(12, 40, 4, seed)
        cost = [d * d for d in instance.depth]
        values = [solve_ilp(instance.trace, k, cost=cost, bypass=bypass).value for k in range(4, 13)]
        assert values == sorted(values, reverse=True)


@given(instances(max_nodes=8, max_requests=20), st.integers(0, 99))
def test_names_of_nodes_do_not_matter(instance: Instance, seed: int) -> None:
    number = linear_extension(instance, SplitMix64(seed))
    other = instance.relabelled(number)
    found, again = (
        solve_ilp(case.trace, case.capacity, cost=[d * d for d in case.depth]) for case in (instance, other)
    )
    assert found.value == again.value
    idle = instance.padded([0, 1] if instance.parents else [0, 0])
    padded = solve_ilp(idle.trace, idle.capacity, cost=[d * d for d in idle.depth])
    assert padded.value == found.value


def merged(instance: Instance) -> tuple[Trace, list[int]]:
    """Chains of single children below which no request ends, each as one sized edge."""
    ends = set(instance.requests) | {0}
    children = [0] * (len(instance.parents) + 1)
    for p in instance.parents:
        children[p] += 1
    edge_of, size, parents = [0], [0], []
    for p in instance.parents:
        if p not in ends and children[p] == 1:
            edge_of.append(edge_of[p])
            size[edge_of[p]] += 1
        else:
            parents.append(edge_of[p])
            edge_of.append(len(parents))
            size.append(1)
    tree = PrefixTree.from_parents(parents)
    requests = np.array([edge_of[v] for v in instance.requests], dtype=np.int32)
    return Trace(tree, requests), size


@given(instances(max_nodes=9, max_requests=20))
def test_merging_chains_into_edges_never_helps(instance: Instance) -> None:
    trace, size = merged(instance)
    whole = solve_ilp(trace, instance.capacity, size=size, cost=size)
    nodes = belady(instance.trace, instance.capacity).hit.tolist()
    assert whole.optimal
    assert whole.value >= instance.misses(nodes)


@given(instances(max_nodes=9, max_requests=20))
def test_edges_evicted_from_the_tip_change_nothing(instance: Instance) -> None:
    trace, size = merged(instance)
    parents = []
    bottom = [0]
    for e in range(1, len(size)):
        parents.append(bottom[trace.tree.parent[e]])
        parents.extend(range(len(parents), len(parents) + size[e] - 1))
        bottom.append(len(parents))
    again = Trace.from_parents(parents, [bottom[e] for e in trace.requests])
    nodes = belady(instance.trace, instance.capacity).hit.tolist()
    assert solve_ilp(again, instance.capacity).value == instance.misses(nodes)


def test_a_time_limit_is_never_called_optimal() -> None:
    instance = grown(100, 400, 20, 0)
    found = solve_ilp(instance.trace, 20, cost=instance.depth, time_limit=0.05)
    assert (found.status, found.optimal) == ("limit", False)
    assert found.lower_bound < found.value
    assert 0 < found.gap < 1


def test_a_gap_is_called_a_gap() -> None:
    instance = grown(100, 400, 20, 0)
    found = solve_ilp(instance.trace, 20, cost=instance.depth, gap=0.2)
    assert found.status == "gap"
    assert 0 < found.gap <= Fraction(1, 5)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"cost": [0, -1, 1, 1]}, "field 'cost': entry 1 is -1: negative"),
        ({"cost": [0, 1, float("inf"), 1]}, "entry 2 is inf: costs are ints or Fractions"),
        ({"hit_cost": [0, 1, 2, 1]}, "node 2: a hit is dearer than a miss"),
        ({"size": [0, 1, 0, 1]}, "node 2 has size 0: sizes are positive"),
        ({"size": [0, 1, Fraction(1, 2), 1]}, "sizes are whole units"),
        ({"size": [0, 2, 1, 1]}, "request 0: the path of node 3 takes 3 of a capacity of 2"),
        ({"objective": "median"}, "'median' is not one of total, latency"),
        ({"time_limit": 0}, "0 is not a positive number of seconds"),
        ({"time_limit": float("nan")}, "nan is not a positive number of seconds"),
        ({"gap": 1}, "1 is not a fraction"),
        ({"gap": float("nan")}, "nan is not a fraction"),
    ],
)
def test_bad_input_is_refused_with_its_reason(arguments: dict[str, object], reason: str) -> None:
    trace = Trace.from_parents([0, 0, 1], [3, 2, 3, 1])
    with pytest.raises(InputError, match=reason):
        solve_ilp(trace, 2, **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("capacity", [0, -3, 1, 2.5, True])
def test_a_capacity_that_is_none(capacity: int) -> None:
    with pytest.raises(InputError, match="capacity"):
        solve_ilp(Trace.from_parents([0, 1], [2]), capacity)


def hard() -> tuple[Trace, int, list[int]]:
    """An instance whose root relaxation does not close it."""
    instance = grown(50, 150, 12, 6)
    return instance.trace, 12, instance.depth


def test_a_lying_solver_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    trace, capacity, cost = hard()
    honest = solve_ilp(trace, capacity, cost=cost)

    def overfull(program, **_):  # type: ignore[no-untyped-def]
        return Claim(program.bound.copy(), True)

    monkeypatch.setattr(eviction_ilp, "solve_pulp", overfull)
    with pytest.raises(VerificationError, match="nodes in a cache of 12"):
        solve_ilp(trace, capacity, cost=cost)

    def wasteful(program, **_):  # type: ignore[no-untyped-def]
        return Claim(np.zeros_like(program.bound), True)

    monkeypatch.setattr(eviction_ilp, "solve_pulp", wasteful)
    assert solve_ilp(trace, capacity, cost=cost).value == honest.value

    def silent(_, **__):  # type: ignore[no-untyped-def]
        return Claim(None, True)

    monkeypatch.setattr(eviction_ilp, "solve_pulp", silent)
    assert solve_ilp(trace, capacity, cost=cost).value == honest.value


def test_a_lying_bound_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    trace, capacity, cost = hard()
    honest = IntegerProgram.exact_bound
    monkeypatch.setattr(IntegerProgram, "exact_bound", lambda *a, **k: honest(*a, **k) + 10**6)
    with pytest.raises(VerificationError, match="above a schedule of cost"):
        solve_ilp(trace, capacity, cost=cost)


def test_a_lying_witness_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eviction_ilp, "victims_of", lambda problem, _: [[1]] * len(problem.trace))
    with pytest.raises(VerificationError):
        solve_ilp(Trace.from_parents(star(3), [1, 2, 3, 1, 2, 3]), 2)


def test_no_cut_removes_a_closed_schedule() -> None:
    """Closure, cover and Gomory rows hold for every whole point of the textbook meaning."""
    for seed in range(12):
        instance = random_instance(seed, max_nodes=6, max_requests=9)
        n = instance.tree.n
        miss = [0, *(random.Random(seed).randint(1, 9) for _ in range(n))]
        problem = intervals_of(instance.trace, instance.capacity, miss, merge=False)
        problem = replace(problem, nested=False)
        if not 0 < len(problem) <= 12:
            continue
        closure = Closure(problem)
        program = eviction_ilp.interval_program(problem)
        search = Search(program, closure.separate, closure.propagate, np.ones(len(problem)))
        search.root(float("inf"), closure.strengthen)
        if search.point is not None:
            for separate in (gomory_rows, zero_half_rows):
                search.relaxation.add(separate(search.relaxation, search.point, search.high))
        for point in np.ndindex(*([2] * len(problem))):
            x = np.array(point, dtype=np.int64)
            if program.feasible(x) and not len(closure.separate(x.astype(float))):
                assert (x <= search.high).all()
                assert search.program.feasible(x)


def triangle() -> Search:
    """Of three things each two exclude each other: halves of all are the relaxation's optimum."""
    pairs = [([0, 1], [1, 1], 1), ([1, 2], [1, 1], 1), ([0, 2], [1, 1], 1)]
    ones = np.ones(3, dtype=np.int64)
    program = IntegerProgram(-ones, ones, eviction_ilp.Rows.of(pairs))
    return Search(program, lambda _: eviction_ilp.NO_ROWS, lambda *_: False, np.ones(3))


def test_half_of_an_odd_cycle_is_cut_off() -> None:
    search = triangle()
    point = np.full(3, 0.5)
    rows = zero_half_rows(search.relaxation, point, search.high)
    assert len(rows) == 1
    assert sorted(rows.column.tolist()) == [0, 1, 2]
    assert set(rows.value.tolist()) == {1}
    assert rows.rhs.tolist() == [1]
    assert not len(zero_half_rows(search.relaxation, np.array([1.0, 0, 0]), search.high))


def test_rows_younger_than_the_dual_cost_nothing() -> None:
    search = triangle()
    search.root(float("inf"))
    assert search.fix_by_reduced_cost(0) == 0
    search.relaxation.add(eviction_ilp.Rows.of([([0, 1, 2], [1, 1, 1], 1)]))
    assert search.fix_by_reduced_cost(0) == 0


def test_only_a_proved_status_is_believed() -> None:
    """PuLP says Optimal where time ran out with a point in hand; sol_status tells them apart."""
    instance = grown(100, 400, 20, 0)
    problem = intervals_of(instance.trace, 20, instance.depth)
    low, high = problem.within
    pairs = [([i, j], [1, -1], 0) for i in range(len(problem)) for j in range(low[i], high[i])]
    program = eviction_ilp.interval_program(problem).adding(eviction_ilp.Rows.of(pairs))
    start = np.zeros(len(problem), dtype=np.int64)
    claim = solve_pulp(program, start=start, time_limit=0.1)
    assert not claim.optimal


def test_what_pulp_claims_of_a_small_program_is_true() -> None:
    for seed in range(5):
        instance = random_instance(seed, max_nodes=7, max_requests=10)
        cost = [0, *(3 * (20 - d) for d in instance.depth[1:])]
        problem = intervals_of(instance.trace, instance.capacity, cost)
        program = eviction_ilp.interval_program(problem)
        claim = solve_pulp(program, start=np.zeros(len(problem), dtype=np.int64))
        assert claim.optimal
        assert claim.point is not None
        best = brute(instance.tree, instance.requests, instance.capacity, cost=cost)
        assert program.value(claim.point) == problem.value(claim.point) == best


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    trace, capacity, cost = hard()
    solve_ilp(trace, capacity, cost=cost)
    assert capfd.readouterr() == ("", "")


def test_lines_and_empty_traces() -> None:
    assert solve_ilp(Trace.from_parents(line(3), []), 3).value == 0
    assert solve_ilp(Trace.from_parents([], [0, 0]), 3).value == 0
    assert solve_ilp(Trace.from_parents(line(3), [3, 3, 1]), 3, objective="latency").value == 3
