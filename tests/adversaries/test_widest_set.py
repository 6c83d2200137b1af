"""The widest closed set, against enumeration and against the width that kvtheory computes in another way."""

import numpy as np
import pytest
from profiles import whole_trace

from adversaries.widest_set import closed_set, widest_leaves
from kvtheory.errors import InputError, LimitError
from kvtheory.model import PrefixTree
from kvtheory.rng import SplitMix64
from kvtheory.shapes import parse_tree
from kvtheory.testing.instances import all_trees
from kvtheory.width import width
from proofs_check.instances import closed_sets, leaves_of


def hold(tree, k):
    """The leaves are those of a closed set of k+1 nodes of depth at most k; how many."""
    leaves = widest_leaves(tree, k)
    nodes = closed_set(tree, leaves)
    assert len(nodes) == k + 1
    assert tree.depth[nodes].max() <= k
    assert sorted(set(nodes) - {int(tree.parent[v]) for v in nodes}) == leaves
    return len(leaves)


def test_every_small_tree_and_capacity_by_enumeration():
    for n in range(2, 8):
        for parents in all_trees(n):
            tree = PrefixTree.from_parents(parents)
            for k in range(1, n):
                if np.count_nonzero(tree.depth <= k) - 1 <= k:
                    with pytest.raises(InputError, match="holds all"):
                        widest_leaves(tree, k)
                    continue
                deep = sum(1 << v - 1 for v in range(1, n + 1) if tree.depth[v] > k)
                sets = [m for m in closed_sets(parents) if m.bit_count() == k + 1 and not m & deep]
                assert hold(tree, k) == max(len(leaves_of(m, parents)) for m in sets)


@pytest.mark.parametrize("seed", range(30))
def test_random_trees_have_the_width_that_is_computed_elsewhere(seed):
    dice = SplitMix64(seed)
    n = 20 + dice.below(180)
    near = 1 + dice.below(12)
    tree = PrefixTree.from_parents(
        [max(0, v - 1 - dice.below(near)) * (dice.below(9) > 0) for v in range(1, n + 1)]
    )
    for k in {1 + dice.below(n - 1) for _ in range(6)}:
        if np.count_nonzero(tree.depth <= k) - 1 > k:
            assert hold(tree, k) == width(tree, k).W


@pytest.mark.parametrize(
    ("text", "k"),
    [
        ("comb:3000", 2999),
        ("comb:3000", 3000),
        ("binary:13", 5000),
        pytest.param("star:9000", 8999, marks=whole_trace),
        ("path:4000", 3999),
    ],
)
def test_thousands_of_nodes(text, k):
    tree = parse_tree(text)
    if text.startswith("path"):
        with pytest.raises(InputError, match="3999 nodes that fit"):
            widest_leaves(tree, k)
    else:
        assert hold(tree, k) == width(tree, k).W


def test_too_many_leaves_are_a_limit():
    with pytest.raises(LimitError, match="20001 leaves"):
        widest_leaves(parse_tree("star:20001"), 20_000)
    assert widest_leaves(parse_tree("star:20001"), 3) == [1, 2, 3, 4]
