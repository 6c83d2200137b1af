"""Every statement about what a family forces on routers holds, to the last unit of cost, at every case."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from profiles import examples

from adversaries.adaptive import ask_for_missing
from adversaries.live_fleet import LiveFleet
from adversaries.routing_forces import best_makespan, routed, routing_statements
from kvtheory.cli import run
from kvtheory.engine.cluster import simulate
from kvtheory.errors import InputError, PolicyError
from kvtheory.model import CostModel, PrefixTree, Trace
from kvtheory.offline.makespan_ilp import solve_routing
from kvtheory.offline.routing_bound import makespan_lower_bound
from kvtheory.policies.fifo import LeafFIFO
from kvtheory.policies.lru import LeafLRU
from kvtheory.registry import routers
from kvtheory.shapes import star
from kvtheory.sources import generate, open_source
from kvtheory.testing.strategies import instances

STATEMENTS = routing_statements()
CASES = [
    pytest.param(statement, case, id=f"{statement.spec(**case)} {statement.against} {n}")
    for statement in STATEMENTS
    for n, case in enumerate(statement.cases)
]
SOLVED = 18  # requests that the exact solver is asked to serve
FAMILIES = {"adaptive_routing", "affinity_trap", "balance_trap", "greedy_trap", "stride_trap"}


def compare(found, relation, stated):
    assert {"==": found == stated, ">=": found >= stated, "<=": found <= stated}[relation], (found, stated)


def traces(statement, case):
    """The trace against each router; what is asked for adaptively is asked of the router in question."""
    adaptive = "router" in statement.parameters()
    for router in statement.victims():
        for policy in statement.evicted_by:
            named = {"router": router.name, "policy": policy} if adaptive else {}
            yield router, policy, generate(statement.spec(**case, **named))


def test_no_family_is_left_out():
    assert {statement.name for statement in STATEMENTS} == FAMILIES


@pytest.mark.parametrize(("statement", "case"), CASES)
def test_routers_are_forced_to_what_it_states(statement, case):
    stated = statement.at(**case)
    assert statement.victims()
    for router, policy, trace in traces(statement, case):
        found = routed(trace, stated, router, policy)
        compare(found.makespan, statement.makespan_is, stated.makespan)
        routing = statement.best(trace, stated)
        assert best_makespan(trace, stated, routing) <= stated.opt
        assert found.makespan / best_makespan(trace, stated, routing) >= stated.ratio


@pytest.mark.parametrize(("statement", "case"), CASES)
def test_the_optimum_is_what_it_states(statement, case):
    """By the solver where the trace is short; else the bound that holds for every routing stays below."""
    stated = statement.at(**case)
    trace = generate(statement.spec(**case))
    prices = {"alpha_cached": stated.costs.alpha_cached, "alpha_miss": stated.costs.alpha_miss}
    if len(trace) <= SOLVED:
        found = solve_routing(trace, stated.workers, stated.capacity, **prices)
        assert found.optimal
        compare(found.value, statement.opt_is, stated.opt)
    if statement.opt_is == "==":
        assert best_makespan(trace, stated, statement.best(trace, stated)) == stated.opt
        assert makespan_lower_bound(trace, stated.workers, stated.capacity, stated.costs) <= stated.opt


def test_each_statement_is_solved_exactly_somewhere():
    for statement in STATEMENTS:
        assert any(len(generate(statement.spec(**case))) <= SOLVED for case in statement.cases)


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda s: f"{s.name} {s.against} {s.ratio}")
def test_the_ratio_tends_to_the_stated_limit(statement):
    for case in statement.cases:
        near, far = (statement.at(**{**case, statement.longer: n}) for n in (60_000, 120_000))
        if far.limit is None:
            assert far.ratio > Fraction(19, 10) * near.ratio
            continue
        assert near.limit == far.limit
        owed, left = abs(near.limit - near.ratio), abs(far.limit - far.ratio)
        assert left <= owed * Fraction(3, 5) or left == 0
        # no router is worse than this
        costs, m = far.costs, far.workers
        if costs.alpha_cached:
            assert far.ratio <= m * Fraction(costs.alpha_miss) / costs.alpha_cached


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_written_as_a_file_it_forces_the_same(name, tmp_path):
    statement = next(s for s in STATEMENTS if s.name == name)
    case, file = statement.cases[0], tmp_path / "trace.jsonl"
    stated = statement.at(**case)
    assert run(["workload", statement.spec(**case), "-o", str(file)]) == 0
    made, read = generate(statement.spec(**case)), open_source(str(file))
    assert made.depths.tolist() == read.depths.tolist()
    router = routers()["greedy"] if name == "adaptive_routing" else statement.victims()[0]
    assert routed(read, stated, router).makespan == routed(made, stated, router).makespan


@pytest.mark.parametrize("policy", [LeafLRU, LeafFIFO])
def test_a_live_fleet_is_the_cluster(policy):
    """The same workers and hits as the simulated cluster, request by request."""
    rng = np.random.default_rng(7)
    tree = PrefixTree.from_parents([0, 1, 2, 1, 0, 5, 0, 7, 8])
    # no request is continued by another: the fleet takes each for a conversation of its own
    asked = rng.integers(1, tree.n + 1, 200)
    trace = Trace(tree, asked.astype(np.int32), columns={"chat_id": np.arange(200)})
    costs = CostModel(Fraction(1, 3), 2)
    for name, router in routers().items():
        run_ = simulate(trace, 3, 4, policy, router, costs=costs)
        fleet = LiveFleet(tree, 3, 4, policy, router, costs)
        hits = [int(tree.depth[fleet.serve(int(v))]) for v in asked]
        assert fleet.sent == run_.worker.tolist(), name
        assert hits == run_.hit.tolist()


def test_every_request_of_the_adaptive_adversary_misses_and_any_object_will_do():
    class OneCache:
        """Two workers by parity of the leaf; each keeps its last."""

        def __init__(self):
            self.last = {}

        @property
        def cached(self):
            return set(self.last.values())

        def serve(self, v):
            self.last[v % 2] = v

    assert ask_for_missing(OneCache(), [1, 2, 3], 6) == [1, 2, 3, 1, 3, 1]
    fleet = LiveFleet(PrefixTree.from_parents(star(5)), 2, 2, LeafLRU, routers()["round_robin"])
    ask_for_missing(fleet, range(1, 6), 50)
    assert len(fleet.sent) == 50
    with pytest.raises(PolicyError, match="holds all"):
        ask_for_missing(fleet, range(1, 1), 1)


FOUND = [  # parents, workers, capacity, prices, requests, router, makespan, OPT
    ((0, 1, 2, 1), 3, 4, (1, 1), (2, 3, 1, 3), "longest_prefix", 9, 3),
    ((0, 0, 2, 1, 2), 2, 5, (1, 20), (4, 4, 2, 2, 5), "greedy", 27, 14),
    ((0, 0, 0), 3, 3, (1, 20), (1, 1, 1, 2, 2, 2, 3), "greedy", 30, 11),
    ((0, 0, 2, 0, 3, 1), 2, 3, (0, 1), (6, 1, 5, 3, 4, 6, 1, 5), "greedy", 8, 3),
]


@pytest.mark.parametrize(("parents", "m", "k", "prices", "requests", "router", "bad", "best"), FOUND)
def test_the_worst_small_cases_that_were_found(parents, m, k, prices, requests, router, bad, best):
    trace, (hit, miss) = Trace.from_parents(parents, requests), prices
    found = simulate(trace, m, k, LeafLRU, routers()[router], costs=CostModel(hit, miss)).makespan
    opt = solve_routing(trace, m, k, alpha_cached=hit, alpha_miss=miss)
    assert Fraction(found) / opt.value == Fraction(bad, best)


@settings(max_examples=examples(60), deadline=None)
@given(
    instances(max_nodes=5, max_requests=7, min_requests=1),
    st.sampled_from(["longest_prefix", "greedy"]),
    st.integers(2, 3),
    st.sampled_from([(0, 1), (1, 1), (1, 3), (1, 20)]),
)
def test_affinity_and_greedy_are_within_m_where_caches_hold_everything(instance, router, m, prices):
    hit, miss = prices
    trace = instance.trace
    found = simulate(trace, m, trace.tree.n, LeafLRU, routers()[router], costs=CostModel(hit, miss)).makespan
    opt = solve_routing(trace, m, trace.tree.n, alpha_cached=hit, alpha_miss=miss).value
    assert found <= m * opt


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("affinity_trap:prefix=0", "not positive"),
        ("affinity_trap:suffix=-1", "negative"),
        ("affinity_trap:prompts=0", "not positive"),
        ("balance_trap:workers=1", "no balance"),
        ("balance_trap:prefix=-1", "negative"),
        ("balance_trap:blocks=0", "not positive"),
        ("stride_trap:workers=1", "no balance"),
        ("stride_trap:blocks=1", "two nodes"),
        ("stride_trap:rounds=0", "not positive"),
        ("greedy_trap:workers=1", "no choice"),
        ("greedy_trap:blocks=0", "not positive"),
        ("adaptive_routing:policy=rlt", "'rlt' draws"),
        ("adaptive_routing:router=nobody", "no router"),
        ("adaptive_routing:workers=0", "not positive"),
    ],
)
def test_bad_parameters_are_refused(spec, message):
    with pytest.raises(InputError, match=message):
        generate(spec)


def test_a_router_that_draws_is_refused():
    drawing = [name for name, router in routers().items() if router.draws]
    for name in drawing:
        with pytest.raises(InputError, match="draws"):
            generate(f"adaptive_routing:router={name}")
