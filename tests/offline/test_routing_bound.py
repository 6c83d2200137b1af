"""The lower bound on makespans: never above the optimum, equal to its definition, sharp where it must be."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from profiles import examples

from kvtheory.errors import InputError
from kvtheory.model import CostModel, PrefixTree, Trace
from kvtheory.offline.belady import belady
from kvtheory.offline.brute import brute
from kvtheory.offline.makespan_ilp import solve_routing
from kvtheory.offline.routing_bound import makespan_lower_bound
from kvtheory.sources import generate
from kvtheory.testing.strategies import instances

SMALL = instances(max_nodes=6, max_requests=9, min_requests=1, fits=False).map(
    # small caches: else nothing is evicted
    lambda found: replace(found, capacity=1 + found.capacity % 2)
)
NUMBERS = st.sampled_from([0, 1, 2, Fraction(1, 3)])


@st.composite
def priced(draw):
    """A trace with tokens and answers, a capacity, workers, costs."""
    instance = draw(SMALL)
    trace = instance.trace
    tokens = draw(st.lists(st.integers(1, 4), min_size=trace.tree.n, max_size=trace.tree.n))
    answers = draw(st.lists(st.integers(0, 3), min_size=len(trace), max_size=len(trace)))
    tree = PrefixTree(trace.tree.parent, np.array([0, *tokens], np.int32))
    trace = replace(trace, tree=tree, columns={"output_length": np.array(answers)})
    cached = draw(NUMBERS)
    costs = CostModel(cached, cached + draw(NUMBERS), *(draw(NUMBERS) for _ in range(5)))
    return (
        trace,
        draw(st.integers(1, 3)),
        instance.capacity,
        costs,
        draw(st.sampled_from(["nodes", "tokens"])),
    )


def by_node(trace, costs, unit):
    """What each node costs more when missed, and what each request costs when all of it is cached."""
    tree = trace.tree
    weight = [0, *([1] * tree.n)] if unit == "nodes" else tree.tokens.tolist()
    price, cached = [0] * (tree.n + 1), []
    for v in range(1, tree.n + 1):
        *before, _ = tree.path(v)
        start = sum(weight[u] for u in before)
        price[v] = costs.prefill(start, weight[v]) - costs.prefill(start + weight[v], 0)
    for v, tokens in zip(trace.requests.tolist(), trace.columns["output_length"].tolist(), strict=True):
        cached.append(costs.cost(sum(weight[u] for u in tree.path(v)), 0, tokens))
    return price, cached


@settings(max_examples=examples(60), deadline=None)
@given(priced())
def test_no_routing_undercuts_it(drawn):
    trace, workers, capacity, costs, unit = drawn
    price, cached = by_node(trace, costs, unit)
    opt = solve_routing(trace, workers, capacity, output=cached, weight=price, method="search")
    bound = makespan_lower_bound(trace, workers, capacity, costs, unit)
    assert opt.optimal
    assert bound <= opt.value
    # every node that can be cached is missed once, every other one each time
    firsts = {u for v in trace.cut(capacity)[0].requests.tolist() for u in trace.tree.path(v)}
    cut = [u for v in trace.requests.tolist() for u in trace.tree.path(v)[capacity:]]
    least = sum(cached) + sum(price[u] for u in firsts) + sum(price[u] for u in cut)
    assert bound >= Fraction(least) / workers


@settings(max_examples=examples(60), deadline=None)
@given(SMALL, st.integers(1, 3), NUMBERS, NUMBERS)
def test_it_is_what_it_says_in_nodes(instance, workers, cached, more):
    """Against brute force with one cache of m k nodes, and the first requests for nodes as sets."""
    trace, k = instance.trace, instance.capacity
    served = trace.cut(k)[0]
    missed = brute(trace.tree, served.requests.tolist(), workers * k) + int(
        (trace.depths - served.depths).sum()
    )
    seen, dearest = set(), 0
    for v, stop in zip(trace.requests.tolist(), served.requests.tolist(), strict=True):
        path = trace.tree.path(v)
        dearest = max(dearest, cached * len(path) + more * len(set(path) - seen))
        seen |= set(trace.tree.path(stop))
    average = Fraction(cached * trace.accesses + more * missed) / workers
    assert makespan_lower_bound(trace, workers, k, CostModel(cached, cached + more)) == max(average, dearest)


@settings(max_examples=examples(30), deadline=None)
@given(SMALL)
def test_one_worker_is_solved_by_it(instance):
    bound = makespan_lower_bound(instance.trace, 1, instance.capacity)
    assert bound == solve_routing(instance.trace, 1, instance.capacity).value


def test_dear_nodes_are_counted_beyond_their_first_miss():
    """Two prompts of 100 tokens and 1, by turns, in one place: nine of each, and layers see the price."""
    tree = PrefixTree(np.array([-1, 0, 0, 0], np.int32), np.array([0, 100, 100, 1], np.int32))
    trace = Trace(tree, np.array([1, 3, 2, 3] * 4, np.int32))
    optimum = solve_routing(trace, 1, 1, weight=[0, 100, 100, 1]).value
    # with the dear nodes alone: 1, 2, 1, 2, .. all missed; of the others 8 misses less the three first ones
    assert makespan_lower_bound(trace, 1, 1, unit="tokens") == optimum == 8 * 100 + 8


def test_large_traces_of_the_families_stay_below_a_true_schedule():
    trace = generate("gsp:groups=24,prompts=16,block=16,order=random,seed=1")
    prices = CostModel(1, 10)
    bound = makespan_lower_bound(trace, 4, 2000, prices)
    every_fourth = [Trace(trace.tree, trace.requests[w::4]) for w in range(4)]
    loads = []
    for part in every_fourth:
        hits = int(part.tree.depth[belady(part, 2000).hit].sum())
        loads.append(10 * part.accesses - 9 * hits)
    assert Fraction(sum(loads), 40) < bound <= max(loads)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"workers": 0}, "at least one"),
        ({"costs": CostModel(2, 1)}, "exceeds"),
        ({"costs": CostModel(attention=-1)}, "not a cost"),
        ({"costs": CostModel(output=float("nan"))}, "not a cost"),
        ({"unit": "bytes"}, "not nodes or tokens"),
        ({"capacity": 0}, "at least one node"),
    ],
)
def test_bad_input_is_refused(change, message):
    call = {"workers": 2, "capacity": 2, "costs": CostModel(), "unit": "nodes", **change}
    with pytest.raises(InputError, match=message):
        makespan_lower_bound(Trace.from_parents([0, 1], [2, 1]), **call)


def test_nothing_to_serve_costs_nothing():
    assert makespan_lower_bound(Trace.from_parents([0], []), 2, 1) == 0
