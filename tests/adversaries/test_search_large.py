"""Searches where no table holds the policy: replays, limits, and many trees at once."""

from fractions import Fraction

import pytest

from adversaries.search.candidate import Hunt
from adversaries.search.hill import climb
from adversaries.search.run import FEW_STATES, REPORT_SEEDS, SEARCH_SEEDS, search
from adversaries.search.score import Arena
from adversaries.search.trees import search_trees
from kvtheory.engine.reference import ReferenceEngine
from kvtheory.errors import InputError, LimitError
from kvtheory.ratio.exact import parse_instance
from kvtheory.registry import policies


def reference(instance, policy, requests, seed=0):
    engine = ReferenceEngine(instance.tree, instance.capacity, policy, seed)
    depth = instance.tree.depth
    return sum(int(depth[v] - depth[engine.serve(v)[0]]) for v in requests)


def test_a_tree_too_large_for_tables_is_replayed_with_common_and_then_fresh_seeds():
    instance, policy = parse_instance("star:30", 20, None), policies()["rlt"]
    found = search(instance, policy, length=120, evaluations=15, seed=2)
    assert found.exact.kind == "mean"
    drawn = [reference(instance, policy, found.requests, seed) for seed in REPORT_SEEDS]
    assert found.exact.alg == Fraction(sum(drawn), len(drawn))
    low, high = found.exact.ci95
    assert low < found.exact.ratio < high
    assert not set(SEARCH_SEEDS) & set(REPORT_SEEDS)


def test_a_policy_with_endless_states_is_replayed_and_the_beam_walks_them():
    instance, policy = parse_instance("star:3", 2, None), policies()["lfu"]
    hill, beam = (search(instance, policy, m, length=300, evaluations=150) for m in ("hill", "beam"))
    assert hill.exact.ratio > 3
    assert beam.exact.ratio > 30
    for found in (hill, beam):
        assert found.exact.alg == reference(instance, policy, found.requests)


def test_too_many_states_end_a_table_not_a_search(monkeypatch):
    instance = parse_instance("0,0,1,1,2,2,3,3", 5, None)
    hunt = Hunt(Arena(instance, policies()["lru"], most=50), 400, 200)
    with pytest.raises(LimitError, match="more than 50"):
        climb(hunt, 0)
    assert FEW_STATES > 50
    monkeypatch.setattr("adversaries.search.run.FEW_STATES", 50)
    found = search(instance, policies()["lru"], length=400, evaluations=200)
    assert found.exact.kind == "count"
    with pytest.raises(LimitError, match="cache states"):
        search(parse_instance("star:30", 20, None), policies()["lru"], "beam")


def test_over_trees_the_star_is_worst_for_lru():
    """W - 1 is 3 on the star of four leaves, and less on every other forest of four nodes."""
    found = search_trees(4, 3, policies()["lru"], length=400, evaluations=2000)
    assert found.instance.parents == (-1, 0, 0, 0, 0)
    assert found.exact.ratio > Fraction(14, 5)
    assert 1500 < found.evaluations <= 2000
    with pytest.raises(InputError, match="trees need"):
        search_trees(6, 3, policies()["lru"], evaluations=100)
