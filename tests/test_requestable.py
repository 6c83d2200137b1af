"""W_R against the definition on every small game, its bounds on random ones, and the widths of a trace."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtheory import requestable as module
from kvtheory.cli import run
from kvtheory.errors import InputError
from kvtheory.model import PrefixTree, Trace
from kvtheory.requestable import RequestableWidth, requestable_width, requestable_widths
from kvtheory.requestable_games import all_games
from kvtheory.testing.instances import Parents, comb, depths, line, spider, star
from kvtheory.testing.strategies import parents
from kvtheory.width import width

WAYS = {"exact": (1 << 60, 1 << 60), "between": (0, 1 << 60), "priced": (0, -1)}


def paths(tree: Parents) -> list[int]:
    found = [0]
    for v, parent in enumerate(tree, 1):
        found.append(found[parent] | 1 << v - 1)
    return found


def union(path: list[int], nodes: list[int]) -> int:
    mask = 0
    for v in nodes:
        mask |= path[v]
    return mask


def leaves_of(tree: Parents, mask: int) -> list[int]:
    inner = {parent for v, parent in enumerate(tree, 1) if mask >> v - 1 & 1}
    return [v for v in range(1, len(tree) + 1) if mask >> v - 1 & 1 and v not in inner]


def just_overflows(tree: Parents, wanted: list[int], k: int, mask: int) -> bool:
    """Whether a generated set has more than k nodes and fits without any one of its leaves."""
    path = paths(tree)
    inside = [v for v in wanted if mask >> v - 1 & 1]
    return mask.bit_count() > k and all(
        union(path, [v for v in inside if v != leaf]).bit_count() <= k for leaf in leaves_of(tree, mask)
    )


def definition(tree: Parents, wanted: list[int], k: int) -> tuple[int, int]:
    """W_R, and the most leaves of a generated set of fewer than k nodes, by enumeration."""
    path = paths(tree)
    generated = {0}
    for v in wanted:
        generated |= {mask | path[v] for mask in generated}
    most, fitting = 1, 0
    for mask in generated:
        if mask.bit_count() < k:
            fitting = max(fitting, len(leaves_of(tree, mask)))
        if just_overflows(tree, wanted, k, mask):
            most = max(most, len(leaves_of(tree, mask)))
    return most, fitting


def check(tree: Parents, wanted: list[int], k: int, way: str, patch: pytest.MonkeyPatch) -> None:
    """Every way's answer against the definition, and the set that it names against it too."""
    cells, leaves = WAYS[way]
    patch.setattr(module, "EXACT_CELLS", cells)
    patch.setattr(module, "EXACT_LEAVES", leaves)
    found = requestable_width(PrefixTree.from_parents(tree), wanted, k)
    most, fitting = definition(tree, wanted, k)
    assert found.low <= most <= found.high <= 1 + max(fitting + 1, found.fitting + 1), (
        tree,
        wanted,
        k,
        found,
    )
    assert found.fitting >= fitting
    if way == "exact":
        assert found.low == found.high == most
    if most > 1:
        mask = union(paths(tree), list(found.leaves))
        assert set(found.leaves) <= set(wanted)
        assert leaves_of(tree, mask) == list(found.leaves)
        assert just_overflows(tree, wanted, k, mask)
        assert len(found.leaves) <= found.low
        if way != "priced":
            assert found.fitting == fitting


@pytest.mark.parametrize("way", WAYS)
def test_every_small_game(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cases = 0
    for n in range(2, 7):
        for game in all_games(n):
            check(game.parents[1:], list(game.requestable), game.capacity, way, monkeypatch)
            cases += 1
    assert cases == 948


@given(parents(max_nodes=13, min_nodes=2), st.data())
def test_random_games(shape: Parents, data: st.DataObject) -> None:
    depth = depths(shape)
    chosen = data.draw(st.sets(st.integers(1, len(shape)), min_size=1))
    low = max(depth[v] for v in chosen)
    k = data.draw(st.integers(low, max(low, len(shape))))
    with pytest.MonkeyPatch.context() as patch:
        for way in WAYS:
            check(shape, sorted(chosen), k, way, patch)


@given(parents(max_nodes=90, min_nodes=40), st.integers(0, 1 << 30))
def test_the_bounds_hold_the_exact_value_on_larger_trees(shape: Parents, seed: int) -> None:
    dice = np.random.default_rng(seed)
    wanted = np.flatnonzero(dice.random(len(shape) + 1) < 0.5)[1:].tolist() or [1]
    tree = PrefixTree.from_parents(shape)
    for k in {max(int(tree.depth[wanted].max()), x) for x in (8, 20, 35)}:
        exact = requestable_width(tree, wanted, k)
        assert exact.exact
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "EXACT_CELLS", 0)
            found = requestable_width(tree, wanted, k)
            assert found.low <= exact.low <= found.high
            patch.setattr(module, "EXACT_LEAVES", -1)
            found = requestable_width(tree, wanted, k)
            assert found.low <= exact.low <= found.high
            assert found.fitting >= exact.fitting


@given(parents(max_nodes=14))
def test_where_every_node_is_requested_it_is_W(shape: Parents) -> None:
    tree = PrefixTree.from_parents(shape)
    for k in range(max(1, tree.height), len(shape) + 1):
        assert requestable_width(tree, range(1, tree.n + 1), k).low == width(tree, k).W


@pytest.mark.parametrize(
    ("tree", "wanted", "k", "value"),
    [
        (star(9), range(1, 10), 8, 9),
        (line(5), [5], 5, 1),
        (spider(5, 2), range(2, 11, 2), 8, 5),  # five prompts of two blocks: no set of exactly nine nodes
        (spider(5, 2), range(2, 11, 2), 7, 4),
        (spider(6, 10), range(10, 61, 10), 49, 5),
        (comb(4), range(5, 9), 6, 3),
        (comb(4), range(5, 9), 7, 4),
        ((0, 0, 0, 1), [2, 3, 4], 2, 2),
    ],
)
def test_known_values(tree: Parents, wanted: list[int], k: int, value: int) -> None:
    found = requestable_width(PrefixTree.from_parents(tree), wanted, k)
    assert (found.low, found.high) == (value, value)


def test_nodes_off_requestable_paths_do_not_count() -> None:
    padded = PrefixTree.from_parents((0, 0, 0, 1, 1, 2, 4))
    assert requestable_width(padded, [2, 3, 4], 2).low == 2
    assert requestable_width(padded, [2, 3, 4], 4) == RequestableWidth(1, 1, 3)


def test_refusals() -> None:
    tree = PrefixTree.from_parents((0, 1, 0))
    with pytest.raises(InputError, match="longer than the capacity 1"):
        requestable_width(tree, [2], 1)
    with pytest.raises(InputError, match="at least one node"):
        requestable_width(tree, [3], 0)
    with pytest.raises(InputError, match=r"nodes must be 0\.\.3"):
        requestable_width(tree, [4], 2)


def test_a_trace_requests_its_terminals_as_far_as_they_are_served() -> None:
    """Three chains of three nodes, the ends requested: capacity 2 serves the first two nodes of each."""
    trace = Trace.from_parents(spider(3, 3), [3, 6, 9, 3])
    found = requestable_widths(trace, [5, 2, 6, 8, 9, 5])
    assert [one.low for one in found] == [2, 2, 3, 3, 1, 2]
    assert found[0] == found[5] == requestable_width(trace.tree, [3, 6, 9], 5)
    assert found[1] == requestable_width(trace.tree, [2, 5, 8], 2)
    assert requestable_widths(Trace.from_parents((0, 0), [0, 0]), [1]) == [RequestableWidth(1, 1, 0)]


def test_large_trees_in_seconds() -> None:
    """120,000 nodes in 4,000 chains below random nodes: within 1, or one in 200."""
    dice = np.random.default_rng(0)
    parent = np.arange(-1, 120_000, dtype=np.int32)
    tops = np.arange(1, 120_001, 30)
    parent[tops] = (dice.random(tops.size) * tops).astype(np.int32)
    tree = PrefixTree(parent)
    ends = np.setdiff1d(np.arange(1, tree.n + 1), parent)
    for k in (2000, 20_000):
        found = requestable_width(tree, ends, k)
        assert found.high <= found.fitting + 2
        assert found.high - found.low <= max(1, found.high // 200)
        assert just_fits(tree, ends, found.leaves, k)


def just_fits(tree: PrefixTree, wanted: np.ndarray, leaves: tuple[int, ...], k: int) -> bool:
    """The set that the leaves generate, checked node by node without the merged runs."""
    parent = tree.parent.tolist()
    held: set[int] = set()
    for leaf in leaves:
        v = leaf
        while v and v not in held:
            held.add(v)
            v = parent[v]
    kids = np.bincount(tree.parent[sorted(held)], minlength=tree.n + 1)
    asked = set(wanted.tolist())
    tails = []
    for leaf in leaves:
        assert kids[leaf] == 0
        v, tail = leaf, 1
        while parent[v] and kids[parent[v]] == 1 and parent[v] not in asked:
            v, tail = parent[v], tail + 1
        tails.append(tail)
    return k < len(held) <= k + min(tails)


def test_ratio_prints_it(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    command = ["ratio", "cyclic:prompts=5,blocks=2,requests=40", "--capacity", "8", "--policies", "lru"]
    assert run([*command, "--json", "-"]) == 0
    shown = json.loads(capsys.readouterr().out)["runs"][0]
    assert (shown["W"], shown["W_R"]) == (5, 5)
    assert run(command) == 0
    header, first = (line.split() for line in capsys.readouterr().out.splitlines()[-4:-2])
    assert header[:3] == ["capacity", "W", "W_R"]
    assert first[:3] == ["8", "5", "5"]
    between = [RequestableWidth(3, 4, 3)]
    monkeypatch.setattr("kvtheory.ratio.empirical.requestable_widths", lambda trace, capacities: between)
    assert run([*command, "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["runs"][0]["W_R"] == [3, 4]
    assert run(command) == 0
    assert "3..4" in capsys.readouterr().out
