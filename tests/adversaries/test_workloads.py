"""Workloads do what they state."""

import numpy as np
import pytest

from adversaries.chains import ChainTree
from adversaries.cyclic import cyclic
from adversaries.gsp import LENGTHS, gsp
from adversaries.uniform import uniform
from adversaries.zipf import zipf
from kvtheory.engine.kernel import replay
from kvtheory.errors import InputError
from kvtheory.offline.belady import belady
from kvtheory.policies.fifo import LeafFIFO
from kvtheory.policies.lru import LeafLRU


def misses(trace, hit):
    return trace.accesses - int(trace.tree.depth[hit].sum())


def test_chains_by_hand():
    tree = ChainTree()
    tips = tree.add(0, [2, 0, 1])
    assert tips.tolist() == [2, 0, 3]
    assert tree.add(tips[:1], [1]).tolist() == [4]
    assert tree.parents().tolist() == [-1, 0, 1, 0, 2]


@pytest.mark.parametrize("k", [2, 5, 9])
def test_cyclic_makes_lru_and_fifo_miss_everything_and_opt_one_in_k(k):
    trace = cyclic(prompts=k + 1, requests=(k + 1) * k * 20)
    for policy in (LeafLRU, LeafFIFO):
        assert misses(trace, replay(trace, k, policy).hit) == len(trace)
    assert misses(trace, belady(trace, k).hit) == k + 1 + -(-(len(trace) - k - 1) // k) - (
        1 if (len(trace) - k - 1) % k else 0
    )


def test_cyclic_with_a_shared_prefix_forces_capacity_minus_prefix():
    """A shared hub of s tokens leaves leaf-LRU the ratio k - s (THEORY.md 4)."""
    k, hub = 8, 3
    trace = cyclic(prompts=k - hub + 1, shared=hub, requests=6000)
    ratio = misses(trace, replay(trace, k, LeafLRU).hit) / misses(trace, belady(trace, k).hit)
    assert k - hub - 0.1 < ratio <= k - hub


@pytest.mark.parametrize("order", ["random", "grouped", "round_robin"])
@pytest.mark.parametrize("block", [1, 16, 100])
def test_gsp(order, block):
    trace = gsp(groups=6, prompts=5, order=order, block=block, seed=4)
    tree = trace.tree
    assert len(trace) == 30
    length = tree.path_sums(tree.tokens)[trace.requests]
    assert set(length) <= set(LENGTHS)
    assert len(set(trace.requests.tolist())) == 30
    group = [tree.path(int(v))[0] for v in trace.requests]
    assert sorted(group) == sorted(np.repeat(sorted(set(group)), 5))
    if order == "grouped":
        assert group == sorted(group)
    if order == "round_robin":
        assert all(len(set(group[i : i + 6])) == 6 for i in range(0, 30, 6))
    for head in set(group):
        members = [set(tree.path(int(v))) for v in trace.requests if tree.path(int(v))[0] == head]
        common = set.intersection(*members)
        tokens = int(length[group.index(head)])
        assert len(common) == tokens // 2 // block
    assert (np.diff(trace.columns["timestamp"]) > 0).all()


def test_zipf_popularity_falls_like_the_exponent():
    trace = zipf(documents=50, blocks=1, shared=0, exponent=1.0, requests=200_000, seed=7)
    counts = np.bincount(trace.requests, minlength=51)[1:]
    expected = len(trace) / np.arange(1, 51) / (1 / np.arange(1, 51)).sum()
    chi_square = float(((counts - expected) ** 2 / expected).sum())
    assert chi_square < 85.4  # the 99.9 % point at 49 degrees of freedom; the seed is fixed


def test_uniform_asks_for_leaves_only():
    trace = uniform(tree="binary:3", requests=500, seed=1)
    assert set(trace.requests.tolist()) == set(range(7, 15))


def test_a_tree_beyond_32_bits_is_refused():
    with pytest.raises(InputError, match="more than"):
        ChainTree().add(0, np.array([2**31]))
