"""Trees, traces and costs."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtheory.errors import InputError
from kvtheory.model import CostModel, PrefixTree, Trace
from kvtheory.testing.strategies import instances, parents, traces, trees


def test_a_tree_without_a_root_is_refused() -> None:
    for wrong in ([], [0], [-1, -1], [[-1]]):
        with pytest.raises(InputError, match="parent"):
            PrefixTree(np.array(wrong, dtype=np.int32))


@pytest.mark.parametrize(
    ("wrong", "node"), [([1], 1), ([0, 2], 2), ([0, 1, 3, 0], 3), ([0, -1], 2), ([0, 7], 2)]
)
def test_parents_must_come_first(wrong: list[int], node: int) -> None:
    with pytest.raises(InputError, match=f"node {node} has parent"):
        PrefixTree.from_parents(wrong)


@pytest.mark.parametrize("tokens", [[0, 1], [0, 1, 0], [1, 1, 1], [0, 1, -2], [0, 1, 1, 1]])
def test_token_counts_are_positive_and_one_per_node(tokens: list[int]) -> None:
    with pytest.raises(InputError, match="token"):
        PrefixTree(np.array([-1, 0, 1], np.int32), np.array(tokens, np.int32))


def test_a_tree_defaults_to_one_token_per_node_and_none_at_the_root() -> None:
    tree = PrefixTree.from_parents([0, 0, 1])
    assert tree.tokens.tolist() == [0, 1, 1, 1]
    assert (tree.n, tree.height) == (3, 2)
    assert tree.path(3) == [1, 3]
    assert tree.path(0) == []


def test_the_empty_tree() -> None:
    tree = PrefixTree.from_parents([])
    assert (tree.n, tree.height, tree.depth.tolist(), tree.path_sums(np.array([0])).tolist()) == (
        0,
        0,
        [0],
        [0],
    )


@given(trees(max_nodes=40))
def test_depth_is_the_length_of_the_path(tree: PrefixTree) -> None:
    assert tree.depth.tolist() == [len(tree.path(v)) for v in range(tree.n + 1)]
    assert tree.height == max(len(tree.path(v)) for v in range(tree.n + 1))


@given(trees(max_nodes=40), st.randoms(use_true_random=False))
def test_path_sums_add_up_the_path(tree: PrefixTree, random: object) -> None:
    value = np.array([0, *(random.randrange(-5, 1 << 40) for _ in range(tree.n))])  # type: ignore[attr-defined]
    expected = [int(sum(value[u] for u in tree.path(v))) for v in range(tree.n + 1)]
    assert tree.path_sums(value).tolist() == expected


def test_path_sums_do_not_change_their_input_and_do_not_overflow_32_bits() -> None:
    tree = PrefixTree.from_parents(list(range(5)))
    value = np.array([0] + [2**31 - 1] * 5, dtype=np.int32)
    assert tree.path_sums(value)[5] == 5 * (2**31 - 1)
    assert value[5] == 2**31 - 1


@given(parents(max_nodes=12))
def test_paths_go_down_one_level_at_a_time(shape: tuple[int, ...]) -> None:
    tree = PrefixTree.from_parents(shape)
    for v in range(1, tree.n + 1):
        path = tree.path(v)
        assert path[-1] == v
        assert [tree.parent[u] for u in path] == [0, *path[:-1]]


def test_requests_must_be_nodes() -> None:
    for wrong in ([3], [-1], [0, 9]):
        with pytest.raises(InputError, match=r"requests must be nodes 0\.\.2"):
            Trace.from_parents([0, 0], wrong)


def test_columns_have_one_value_per_request() -> None:
    tree = PrefixTree.from_parents([0])
    with pytest.raises(InputError, match="2 values for 1 requests"):
        Trace(tree, np.array([1]), columns={"timestamp": np.array([0.0, 1.0])})


def test_accesses_count_the_nodes_of_every_request() -> None:
    trace = Trace.from_parents([0, 1, 0], [2, 3, 0, 2])
    assert (len(trace), trace.accesses, trace.depths.tolist()) == (4, 5, [2, 1, 0, 2])


@given(traces(max_nodes=10))
def test_cut_serves_the_first_capacity_nodes(case: tuple[Trace, int]) -> None:
    trace, capacity = case
    before = trace.requests.tolist()
    served, count = trace.cut(capacity)
    tree = trace.tree
    assert [tree.path(v) for v in served.requests.tolist()] == [tree.path(v)[:capacity] for v in before]
    assert count == sum(len(tree.path(v)) > capacity for v in before)
    assert trace.requests.tolist() == before
    served.require_fits(capacity)
    assert served.cut(capacity) == (served, 0)


def test_cut_keeps_what_the_file_said_and_forgets_what_was_computed() -> None:
    trace = Trace.from_parents([0, 1], [2, 1])
    trace.memo["runs"] = "of the uncut trace"
    served, _ = trace.cut(1)
    assert served.memo == {}
    assert served.tree is trace.tree


def test_a_capacity_is_positive_and_uncut_traces_are_refused() -> None:
    trace = Trace.from_parents([0, 1], [2])
    for capacity in (0, -3):
        with pytest.raises(InputError, match="at least one node"):
            trace.cut(capacity)
        with pytest.raises(InputError):
            trace.require_fits(capacity)
    with pytest.raises(InputError, match="cut the trace first"):
        trace.require_fits(1)
    trace.require_fits(2)


@given(instances())
def test_instances_fit(case: object) -> None:
    case.trace.require_fits(case.capacity)  # type: ignore[attr-defined]


def test_costs_are_linear_in_hits_and_misses() -> None:
    assert CostModel().cost(5, 3) == 3
    assert CostModel(alpha_cached=2, alpha_miss=7, output=1).cost(5, 3) == 32


@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.tuples(*[st.integers(0, 5)] * 7))
def test_costs_are_those_of_one_token_after_another(
    hit: int, miss: int, tokens: int, numbers: tuple[int, ...]
) -> None:
    cached, missed, output, decode, attention, context, fixed = numbers
    costs = CostModel(cached, missed, output, decode, attention, context, fixed)
    length = hit + miss
    prefill = (
        fixed + cached * hit + sum(missed + attention * (2 * before + 1) for before in range(hit, length))
    )
    answer = output + sum(decode + context * (length + before) for before in range(tokens))
    assert costs.prefill(hit, miss) == prefill
    assert costs.cost(hit, miss, tokens) == prefill + answer


def test_costs_in_whole_numbers_are_the_same_multiplied() -> None:
    costs = CostModel(Fraction(1, 6), 2, Fraction(3, 4))
    scaled, factor = costs.scaled(Fraction(1, 5))
    assert factor == 60
    assert scaled.cost(2, 3) == 60 * costs.cost(2, 3)
    for inexact in (CostModel(alpha_miss=0.5), CostModel(Fraction(1, 3), decode=0.1)):
        assert inexact.scaled() == (inexact, 0)
    assert costs.scaled(0.5) == (costs, 0)
