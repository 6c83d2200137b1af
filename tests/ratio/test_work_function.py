"""Work functions: the counts of the theory, and OPT step by step against brute force."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtheory.errors import InputError, LimitError
from kvtheory.model import PrefixTree
from kvtheory.offline.brute import brute
from kvtheory.ratio.instance import Instance
from kvtheory.ratio.work_function import work_functions
from kvtheory.shapes import parse_tree
from kvtheory.testing.instances import SmallOptimum, all_trees, random_instance


def instance(tree, capacity, requestable=None):
    return Instance.of(parse_tree(tree), capacity, requestable)


def optimum(works, requests):
    """OPT of a sequence of nodes, by the automaton."""
    q, total = 0, 0
    for v in requests:
        r = works.instance.requestable.index(v)
        total += int(works.increase[q, r])
        q = int(works.next[q, r])
    return total


@pytest.mark.parametrize(("k", "count"), [(2, 10), (3, 25), (4, 56), (5, 119), (6, 246)])
def test_counts_on_stars(k, count):
    works = work_functions(instance(f"star:{k + 1}", k))
    assert len(works) == count
    assert works.next.shape == works.increase.shape == (count, k + 1)
    assert works.next.max() == count - 1
    assert (works.value.min(axis=1) == 0).all()
    assert works.value.max() <= k


@given(st.integers(0, 10_000))
def test_the_automaton_is_brute_force(seed):
    drawn = random_instance(seed, max_nodes=6, max_requests=20)
    works = work_functions(Instance.of(drawn.tree, drawn.capacity))
    requests = [v for v in drawn.requests if v]
    assert optimum(works, requests) == brute(drawn.tree, requests, drawn.capacity)


def test_prefetching_changes_no_optimum():
    """Against work functions that may load nothing but the requested path."""
    rng = np.random.default_rng(0)
    for parents in all_trees(5):
        for capacity in (2, 3, 4):
            game = Instance.of(PrefixTree.from_parents(parents), capacity)
            works, lazy = work_functions(game), SmallOptimum(parents, capacity)
            for _ in range(5):
                work, total = lazy.start, 0
                requests = [int(v) for v in rng.choice(game.requestable, 15)]
                for v in requests:
                    work, increase = lazy.step(work, v)
                    total += increase
                assert optimum(works, requests) == total


@pytest.mark.parametrize("requestable", [(3, 4), (2, 5), (1,)])
def test_fewer_requestable_nodes_are_the_same_game_restricted(requestable):
    whole = work_functions(instance("0,0,1,1,2", 3))
    part = work_functions(instance("0,0,1,1,2", 3, requestable))
    rng = np.random.default_rng(1)
    for _ in range(20):
        requests = [int(v) for v in rng.choice(requestable, 12)]
        assert optimum(part, requests) == optimum(whole, requests)
    assert len(part) <= len(whole)


def test_nodes_below_the_capacity_are_dropped():
    game = instance("path:5", 3)
    assert game.dropped == (4, 5)
    assert game.requestable == (1, 2, 3)
    assert game.used == (1, 2, 3)
    assert game.closed.tolist() == [0, 1, 3, 7]
    assert list(game.nodes(5)) == [1, 3]


@pytest.mark.parametrize(
    ("tree", "capacity", "requestable", "message"),
    [
        ("star:3", 0, None, "capacity 0"),
        ("star:63", 2, None, "63 nodes"),
        ("star:3", 2, [], "no node"),
        ("star:3", 2, [0], "0 is not a node"),
        ("star:3", 2, [4], "4 is not a node"),
        ("path:3", 2, [3], "longer than the capacity"),
    ],
)
def test_bad_input(tree, capacity, requestable, message):
    with pytest.raises(InputError, match=message):
        instance(tree, capacity, requestable)


def test_limits():
    with pytest.raises(LimitError, match="cache states"):
        work_functions(instance("star:40", 20))
    with pytest.raises(LimitError, match="work functions"):
        work_functions(instance("star:7", 6), budget=100)
