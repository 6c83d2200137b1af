"""The joint optimum of routing and eviction: two solvers, brute force, and the theory's values."""

from __future__ import annotations

import random
from collections.abc import Sequence
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtheory.errors import InputError, VerificationError
from kvtheory.model import Trace
from kvtheory.offline import makespan_ilp
from kvtheory.offline.brute import brute
from kvtheory.offline.makespan_ilp import solve_routing
from kvtheory.offline.pulp_solver import solve_pulp
from kvtheory.offline.routing_program import RoutingProgram
from kvtheory.offline.routing_search import RoutingSearch
from kvtheory.offline.witness import replay_routing
from kvtheory.testing.instances import Instance, random_instance, star
from kvtheory.testing.strategies import instances


def joint_brute(
    instance: Instance,
    workers: int,
    miss: Sequence[int],
    hit: Sequence[int],
    output: Sequence[int],
    objective: str,
) -> int:
    """Every routing, each worker by dynamic programming over closed sets."""
    known: dict[tuple[int, ...], int] = {}

    def cost(served: tuple[int, ...]) -> int:
        if served not in known:
            requests = [instance.requests[t] for t in served]
            paid = brute(instance.tree, requests, instance.capacity, cost=miss, hit_cost=hit)
            known[served] = paid + sum(output[t] for t in served)
        return known[served]

    best = None
    requests = range(len(instance.requests))
    for assigned in product(range(workers), repeat=len(instance.requests)):
        loads = [cost(tuple(t for t in requests if assigned[t] == j)) for j in range(workers)]
        value = sum(loads) if objective == "total" else max(loads)
        best = value if best is None else min(best, value)
    assert best is not None
    return best


def latency_brute(instance: Instance, workers: int, miss: int, hit: int, release: Sequence[int]) -> int:
    """Forward over (caches, finish times) with the least worst latency; every legal eviction is tried."""
    parents = (-1, *instance.parents)
    states = {tuple((frozenset[int](), 0) for _ in range(workers)): 0}
    for t, v in enumerate(instance.requests):
        path = frozenset(instance.path(v))
        after: dict[tuple[tuple[frozenset[int], int], ...], int] = {}
        for caches, worst in states.items():
            for j, (cached, free) in enumerate(caches):
                done = max(free, release[t]) + miss * len(path - cached) + hit * len(path & cached)
                level, reachable = {cached | path}, set()
                while level:
                    reachable |= {s for s in level if len(s) <= instance.capacity}
                    level = {s - {u} for s in level for u in s - path if not any(parents[w] == u for w in s)}
                for new in reachable:
                    key = (*caches[:j], (new, done), *caches[j + 1 :])
                    value = max(worst, done - release[t])
                    after[key] = min(value, after.get(key, value))
        states = after
    return min(states.values())


@given(
    instances(max_nodes=6, max_requests=6),
    st.integers(1, 3),
    st.sampled_from([(0, 1), (1, 5), (1, 20), (2, 2)]),
    st.sampled_from(["makespan", "total"]),
    st.data(),
)
def test_search_and_program_agree_with_brute_force(
    instance: Instance, workers: int, alpha: tuple[int, int], objective: str, data: st.DataObject
) -> None:
    n, requests = instance.tree.n, len(instance.requests)
    weight = data.draw(st.one_of(st.none(), st.lists(st.integers(1, 3), min_size=n, max_size=n)))
    units = [0, *(weight or [1] * n)]
    output = data.draw(st.lists(st.integers(0, 3), min_size=requests, max_size=requests))
    miss, hit = [alpha[1] * w for w in units], [alpha[0] * w for w in units]
    best = joint_brute(instance, workers, miss, hit, output, objective)
    for method in ("search", "ilp"):
        found = solve_routing(
            instance.trace,
            workers,
            instance.capacity,
            alpha_cached=alpha[0],
            alpha_miss=alpha[1],
            output=output,
            weight=None if weight is None else units,
            objective=objective,
            method=method,
        )
        assert found.optimal, method
        assert found.value == best, method
        seen = replay_routing(
            instance.tree.parent.tolist(),
            instance.requests,
            workers,
            instance.capacity,
            found.workers,
            found.victims,
            alpha_cached=alpha[0],
            alpha_miss=alpha[1],
            output=output,
            weight=units,
        )
        assert seen.loads == found.loads
        assert seen.misses == found.misses
        assert (sum(seen.loads) if objective == "total" else max(seen.loads)) == best


@given(
    instances(max_nodes=5, max_requests=4),
    st.integers(1, 2),
    st.sampled_from([(0, 1), (1, 3)]),
    st.lists(st.integers(0, 3), min_size=4, max_size=4),
)
def test_worst_latency_agrees_with_brute_force(
    instance: Instance, workers: int, alpha: tuple[int, int], gaps: list[int]
) -> None:
    release = [sum(gaps[: t + 1]) for t in range(len(instance.requests))]
    found = solve_routing(
        instance.trace,
        workers,
        instance.capacity,
        alpha_cached=alpha[0],
        alpha_miss=alpha[1],
        release=release,
        objective="latency",
    )
    assert found.optimal
    assert found.value == latency_brute(instance, workers, alpha[1], alpha[0], release)


def pressed(requests: int, workers: int, seed: int) -> tuple[Trace, int]:
    """Twelve nodes, caches of four."""
    dice = random.Random(seed)
    parents = [dice.randint(0, v) for v in range(12)]
    tree = Trace.from_parents(parents, []).tree
    fit = [v for v in range(1, 13) if tree.depth[v] <= 4]
    return Trace.from_parents(parents, [dice.choice(fit) for _ in range(requests)]), workers


@pytest.mark.parametrize("seed", range(3))
def test_three_workers_and_fourteen_requests(seed: int) -> None:
    trace, workers = pressed(14, 3, seed)
    found = [
        solve_routing(trace, workers, 4, alpha_cached=1, alpha_miss=20, method=method)
        for method in ("search", "ilp")
    ]
    assert [x.optimal for x in found] == [True, True]
    assert found[0].value == found[1].value


def test_auto_turns_to_the_program_and_agrees(monkeypatch: pytest.MonkeyPatch) -> None:
    trace, workers = pressed(14, 3, 1)
    searched = solve_routing(trace, workers, 4, alpha_cached=1, alpha_miss=20)
    monkeypatch.setattr(makespan_ilp, "SEARCH_SECONDS", 0.0)
    turned = solve_routing(trace, workers, 4, alpha_cached=1, alpha_miss=20)
    assert (searched.method, turned.method) == ("search", "ilp")
    assert searched.value == turned.value
    assert turned.optimal


def test_affinity_loses_a_factor_of_m() -> None:
    """Longest-prefix affinity sends all to one worker: 9 against 3 (THEORY 13)."""
    trace = Trace.from_parents([0, 1, 2, 1], [2, 3, 1, 3])
    assert solve_routing(trace, 3, 4, alpha_cached=1).value == 3
    assert solve_routing(trace, 1, 4, alpha_cached=1).value == 9


@pytest.mark.parametrize("workers", [2, 3, 4])
def test_greedy_on_true_cost_loses_a_factor_of_m(workers: int) -> None:
    """x_1^m .. x_(m-1)^m x_m: OPT = alpha_miss + (m-1) alpha_cached (THEORY 14)."""
    requests = [x for x in range(1, workers) for _ in range(workers)] + [workers]
    trace = Trace.from_parents(star(workers), requests)
    found = solve_routing(trace, workers, workers, alpha_cached=1, alpha_miss=20)
    assert found.optimal
    assert found.value == 20 + workers - 1


@pytest.mark.parametrize(
    ("parents", "requests", "workers", "capacity", "alpha", "value"),
    [
        ([0, 0, 2, 1, 2], [4, 4, 2, 2, 5], 2, 5, (1, 20), 42),  # greedy pays 81
        ([0, 0, 2, 0, 3, 1], [6, 1, 5, 3, 4, 6, 1, 5], 2, 3, (0, 1), 3),  # greedy with LRU pays 8
    ],
)
def test_optima_under_the_greedy_counterexamples(
    parents: list[int],
    requests: list[int],
    workers: int,
    capacity: int,
    alpha: tuple[int, int],
    value: int,
) -> None:
    trace = Trace.from_parents(parents, requests)
    for method in ("search", "ilp"):
        found = solve_routing(
            trace, workers, capacity, alpha_cached=alpha[0], alpha_miss=alpha[1], method=method
        )
        assert (found.value, found.optimal) == (value, True)


def test_cycled_chains_need_no_misses_beyond_the_first() -> None:
    """m chains of k nodes that share the first: one chain per worker (THEORY 13)."""
    trace = Trace.from_parents([0, 1, 2, 1, 4, 1, 6], [3, 5, 7] * 3)
    assert solve_routing(trace, 3, 3).value == 3


def test_more_workers_or_room_never_hurt() -> None:
    for seed in range(3):
        trace, _ = pressed(10, 3, seed)
        by_workers = [solve_routing(trace, m, 4, alpha_cached=1, alpha_miss=5).value for m in (1, 2, 3, 4)]
        assert by_workers == sorted(by_workers, reverse=True)
        by_room = [solve_routing(trace, 2, k, alpha_cached=1, alpha_miss=5).value for k in (4, 5, 6, 12)]
        assert by_room == sorted(by_room, reverse=True)


def test_a_path_longer_than_the_capacity_is_cut_and_its_rest_missed() -> None:
    trace = Trace.from_parents([0, 1, 2], [3, 3])
    found = solve_routing(trace, 1, 2, alpha_cached=1, alpha_miss=10)
    assert (found.value, found.misses) == (30 + 2 + 10, 4)


def test_fractions_scale_exactly() -> None:
    trace, workers = pressed(8, 2, 0)
    whole = solve_routing(trace, workers, 4, alpha_cached=1, alpha_miss=21).value
    parts = solve_routing(trace, workers, 4, alpha_cached=Fraction(1, 7), alpha_miss=3)
    assert parts.value == Fraction(whole, 7)
    assert parts.optimal


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"workers": 0}, "0 workers: at least one is needed"),
        ({"workers": 1.5}, "1.5 workers"),
        ({"capacity": 0}, "capacity 0"),
        ({"alpha_miss": -1}, "entry 0 is -1: negative"),
        ({"alpha_miss": float("nan")}, "entry 0 is nan"),
        ({"alpha_cached": 2}, "alpha_cached 2 exceeds alpha_miss 1"),
        ({"output": [1]}, "1 entries for 3"),
        ({"release": [0, 2, 1]}, "release times decrease"),
        ({"objective": "mean"}, "'mean' is not one of makespan, total, latency"),
        ({"method": "magic"}, "'magic' is not one of auto, search, ilp"),
        ({"method": "ilp", "objective": "latency"}, "worst latency is solved by search only"),
        ({"time_limit": -1}, "-1 is not a positive number of seconds"),
        ({"gap": 2}, "2 is not a fraction"),
    ],
)
def test_bad_input_is_refused_with_its_reason(arguments: dict[str, object], reason: str) -> None:
    given_all = {"workers": 2, "capacity": 2, **arguments}
    with pytest.raises(InputError, match=reason):
        solve_routing(Trace.from_parents([0, 0, 1], [3, 2, 3]), **given_all)  # type: ignore[arg-type]


@pytest.mark.parametrize("method", ["search", "ilp"])
def test_a_time_limit_is_never_called_optimal(method: str) -> None:
    dice = random.Random(0)
    parents = [dice.randint(0, v) for v in range(60)]
    requests = [dice.randint(1, 60) for _ in range(60)]
    found = solve_routing(
        Trace.from_parents(parents, requests),
        4,
        8,
        alpha_cached=3,
        alpha_miss=20,
        method=method,
        time_limit=0.2,
    )
    assert (found.status, found.optimal) == ("limit", False)
    assert found.lower_bound < found.value


def test_a_gap_is_called_a_gap() -> None:
    trace, workers = pressed(14, 3, 0)
    found = solve_routing(trace, workers, 4, alpha_cached=1, alpha_miss=20, gap=0.9)
    assert found.status in ("gap", "optimal")
    assert found.gap <= Fraction(9, 10)


def test_a_lying_search_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    trace, workers = pressed(8, 2, 0)
    monkeypatch.setattr(RoutingSearch, "value", lambda *_: 1)
    with pytest.raises(VerificationError, match="the search said 1"):
        solve_routing(trace, workers, 4)


def test_a_lying_bound_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    trace, workers = pressed(8, 2, 0)
    honest = makespan_ilp._by_ilp

    def boastful(*arguments):  # type: ignore[no-untyped-def]
        assigned, bound = honest(*arguments)
        return assigned, bound + 1

    monkeypatch.setattr(makespan_ilp, "_by_ilp", boastful)
    with pytest.raises(VerificationError, match="above a schedule of cost"):
        solve_routing(trace, workers, 4, method="ilp")


def test_a_lying_witness_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    trace, _ = pressed(8, 1, 0)
    monkeypatch.setattr(makespan_ilp, "routing_victims", lambda _, assigned: [[] for _ in assigned])
    with pytest.raises(VerificationError, match="nodes in a cache of 4"):
        solve_routing(trace, 1, 4)


@pytest.mark.parametrize("objective", ["makespan", "total"])
def test_the_program_alone_has_the_optimum(objective: str) -> None:
    """What greedy routing and the search's bound would cover up: the program's own minimum, by HiGHS."""
    for seed in range(10):
        instance = random_instance(seed, max_nodes=5, max_requests=6)
        _, routing = makespan_ilp._routing(
            instance.trace, 2, instance.capacity, 1, 3, 1, None, None, objective
        )
        model = RoutingProgram(routing)
        claim = solve_pulp(model.program)
        assert claim.optimal
        n = instance.tree.n
        expected = joint_brute(
            instance, 2, [0] + [3] * n, [0] + [1] * n, [1] * len(instance.requests), objective
        )
        assert claim.point is not None
        assert model.program.value(claim.point) == expected
        workers = model.workers_of(claim.point)
        assert workers is not None
        assert RoutingSearch(routing).value(workers) == expected
