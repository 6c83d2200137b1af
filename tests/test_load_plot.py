"""What the figure of a routed run shows is what happened in it."""

import numpy as np
import pytest

from kvtheory.engine.cluster import ClusterRun
from kvtheory.model import CostModel
from kvtheory.ratio.routed import Cluster, route
from kvtheory.registry import select_policies, select_routers
from kvtheory.report.load_plot import draw_loads, hit_rates, in_system, ttft_over_time
from kvtheory.sources import generate


def run_of(arrival, first, worker, hit, length):
    n = len(arrival)
    whole = [np.array(x, dtype=float) for x in (arrival, arrival, first, first)]
    numbers = [np.array(x, dtype=np.int64) for x in (hit, length)]
    return ClusterRun(3, *whole, np.array(worker, np.int32), *numbers, np.ones(n), 0, 0, 0)


def test_ttft_in_windows_by_hand():
    run = run_of([0, 1, 2, 3, 9, 10], [5, 2, 3, 7, 9.5, 12], [0, 0, 0, 1, 1, 1], [0] * 6, [4] * 6)
    times, p95 = ttft_over_time(run, 5)
    assert times.tolist() == [1, 3, 5, 7, 9]
    assert p95[[0, 1, 4]].tolist() == [5, 4, 2]
    assert np.isnan(p95[2:4]).all()


def test_all_at_once_is_one_window():
    run = run_of([4, 4, 4], [5, 6, 9], [0, 1, 2], [0] * 3, [1] * 3)
    assert [x.tolist() for x in ttft_over_time(run)] == [[4], [5]]


def test_hit_rates_by_worker():
    run = run_of([0, 0, 0], [1, 1, 1], [0, 0, 2], [2, 1, 3], [4, 8, 6])
    assert hit_rates(run).tolist() == [0.25, 0, 0.5]


def test_requests_in_the_cluster():
    run = run_of([0, 1], [4, 2], [0, 1], [0, 0], [1, 1])
    times, there = in_system(run)
    assert there[times < 1].tolist() == [1] * int((times < 1).sum())
    assert set(there[(times >= 1) & (times < 2)]) == {2}
    assert there[-1] == 0


@pytest.mark.parametrize("arrivals", ["zero", "trace"])
def test_the_figure_shows_every_run(arrivals):
    trace = generate("gsp:groups=6,prompts=4,block=256,seed=1")
    cluster = Cluster(3, 40, CostModel(), arrivals=arrivals)
    report = route(trace, cluster, select_routers("round_robin,lbgr"), select_policies("lru,rlt"))
    left, right, lower, rates = draw_loads(report).axes
    assert [len(axes.lines) for axes in (left, lower)] == [4, 4]
    assert [len(axes.patches) for axes in (right, rates)] == [12, 12]
    drawn = [bar.get_height() / 100 for bar in rates.patches[:3]]
    assert drawn == pytest.approx(hit_rates(report.runs[0].last).tolist())
