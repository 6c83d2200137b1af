"""The joint optimum of a routed run: solved while it is small, bounded where it is not."""

import pytest

from kvtheory.model import CostModel, Trace
from kvtheory.offline.brute import brute
from kvtheory.ratio import routed
from kvtheory.ratio.routed import Cluster, find_optimum

TRACE = Trace.from_parents([0, 1, 1, 0, 4], [2, 3, 5, 2, 4, 3])


@pytest.mark.parametrize("workers", [1, 2])
def test_the_optimum_is_solved_up_to_a_size_and_bounded_beyond(workers, monkeypatch):
    cluster = Cluster(workers, 3, CostModel(0, 1))
    monkeypatch.setattr(routed, "LARGEST_SOLVED", len(TRACE))
    solved = find_optimum(TRACE, cluster, 30.0)
    monkeypatch.setattr(routed, "LARGEST_SOLVED", len(TRACE) - 1)
    bounded = find_optimum(TRACE, cluster, 30.0)
    assert solved.optimal
    assert solved.makespan is not None
    if workers == 1:
        assert solved.makespan == brute(TRACE.tree, TRACE.requests.tolist(), 3)
    assert bounded.makespan is None
    assert not bounded.optimal
    assert 0 < bounded.lower_bound <= solved.lower_bound == solved.makespan
