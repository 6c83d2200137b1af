"""W and w against every closed set of every small tree, and against formulas."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given

from kvtheory import width as module
from kvtheory.model import PrefixTree
from kvtheory.testing.instances import Parents, binary, broom, comb, depths, line, spider, star
from kvtheory.testing.strategies import parents
from kvtheory.width import Widths, harmonic, width, widths


def most_leaves(tree: Parents, capacity: int) -> dict[int, int]:
    """Most leaves of a closed set of each size, over nodes of depth at most `capacity`; 0: none."""
    depth = depths(tree)
    closed: list[frozenset[int]] = [frozenset()]
    for v, parent in enumerate(tree, start=1):
        if depth[v] <= capacity:
            closed += [nodes | {v} for nodes in closed if parent == 0 or parent in nodes]
    most: dict[int, int] = {}
    for nodes in closed:
        inner = {tree[v - 1] for v in nodes}
        most[len(nodes)] = max(most.get(len(nodes), 0), len(nodes - inner))
    return most


def brute_widths(tree: Parents, capacity: int) -> tuple[int, int]:
    most = most_leaves(tree, capacity)
    w = max(leaves for size, leaves in most.items() if size <= capacity)
    return most.get(capacity + 1, 1), w


@pytest.mark.parametrize("n", range(7))
def test_exact_on_every_tree_and_capacity(n: int) -> None:
    for tree in itertools.product(*(range(v) for v in range(1, n + 1))):
        capacities = list(range(1, n + 2))
        found = widths(PrefixTree.from_parents(tree), capacities)
        assert all(one.exact for one in found)
        assert [(one.W, one.w) for one in found] == [brute_widths(tree, k) for k in capacities], tree


@pytest.mark.parametrize("n", range(1, 7))
def test_enclosures_hold_the_exact_value_on_every_tree(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EXACT_LEAVES", -1)
    monkeypatch.setattr(module, "PRICE_BITS", 8)
    for tree in itertools.product(*(range(v) for v in range(1, n + 1))):
        capacities = list(range(1, n + 2))
        for k, found in zip(capacities, widths(PrefixTree.from_parents(tree), capacities), strict=True):
            W, w = brute_widths(tree, k)
            assert found.W_lower <= W <= found.W, (tree, k, found)
            assert found.w_lower <= w <= found.w, (tree, k, found)


@given(parents(max_nodes=60, min_nodes=30))
def test_enclosures_hold_the_exact_value_on_larger_trees(shape: Parents) -> None:
    tree = PrefixTree.from_parents(shape)
    capacities = [1, 5, 12, len(shape) - 1, len(shape)]
    exact = widths(tree, capacities)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "EXACT_LEAVES", -1)
        for true, found in zip(exact, widths(tree, capacities), strict=True):
            assert found.W_lower <= true.W <= found.W
            assert found.w_lower <= true.w <= found.w


@given(parents(max_nodes=14))
def test_several_capacities_at_once_are_each_alone(shape: Parents) -> None:
    tree = PrefixTree.from_parents(shape)
    capacities = [3, 1, 9, 3, len(shape), 100]
    assert widths(tree, capacities) == [width(tree, k) for k in capacities]


@given(parents(max_nodes=14))
def test_w_is_W_or_one_less(shape: Parents) -> None:
    tree = PrefixTree.from_parents(shape)
    for k in range(1, len(shape)):
        found = width(tree, k)
        reach = sum(1 for v in range(1, tree.n + 1) if tree.depth[v] <= k)
        if reach > k:
            assert found.w in {found.W, found.W - 1}
        else:
            assert found.W == 1


@pytest.mark.parametrize("k", range(1, 12))
def test_formulas(k: int) -> None:
    for n in range(1, 10):
        assert width(PrefixTree.from_parents(star(n)), k) == Widths(
            k + 1 if n > k else 1, min(n, k), k + 1 if n > k else 1, min(n, k)
        )
        assert width(PrefixTree.from_parents(line(n)), k) == Widths(1, 1, 1, 1)
        reach = min(n, k) + min(n, k - 1)  # spine and teeth of depth at most k
        found = width(PrefixTree.from_parents(comb(n)), k)
        assert found.W == ((k + 2) // 2 if reach > k else 1)
        assert found.w == (min(k, reach) + 1) // 2
        if k > n:
            found = width(PrefixTree.from_parents(broom(3, n)), k)
            assert found.W == (k + 1 - 3 if 3 <= k < n + 3 else 1)
        found = width(PrefixTree.from_parents(spider(n, 3)), k)
        assert found.w == min(k, n)
        assert found.W == (min(k + 1, n) if n * min(3, k) > k else 1)


def test_a_shared_hub_of_s_tokens_gives_k_minus_s() -> None:
    for hub, k in ((1, 4), (3, 7), (5, 6)):
        assert width(PrefixTree.from_parents(broom(hub, 20)), k).W - 1 == k - hub


def test_a_binary_tree_gains_a_leaf_every_other_node() -> None:
    tree = PrefixTree.from_parents(binary(5))
    assert [found.w for found in widths(tree, [2, 3, 4, 5, 30, 62])] == [2, 2, 3, 3, 16, 32]


def test_large_trees_are_enclosed_tightly() -> None:
    leaves = module.EXACT_LEAVES + 1
    found = width(PrefixTree.from_parents(star(leaves)), 1000)
    assert (found.W, found.w) == (1001, 1000)
    assert found.w - found.w_lower <= 1


def test_harmonic_numbers() -> None:
    assert [str(harmonic(n)) for n in range(6)] == ["0", "1", "3/2", "11/6", "25/12", "137/60"]
    assert float(harmonic(1000)) == pytest.approx(7.485470860550345)
    assert width(PrefixTree.from_parents(star(5)), 3).harmonic_w() == harmonic(3)
