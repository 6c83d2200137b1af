"""Measured ratios, recounted from the reference engine and from scipy."""

import numpy as np
import pytest
from scipy import stats

from adversaries.gsp import gsp
from adversaries.zipf import zipf
from kvtheory.engine.reference import ReferenceEngine
from kvtheory.errors import InputError
from kvtheory.model import Trace
from kvtheory.ratio.capacity import parse_capacities
from kvtheory.ratio.empirical import Counter, measure_ratios, proved_bound, ratio_interval
from kvtheory.registry import policies
from kvtheory.width import width


@pytest.mark.parametrize("measure", ["nodes", "tokens"])
@pytest.mark.parametrize("warmup", [0.0, 0.3])
@pytest.mark.parametrize("capacity", [3, 12, 40])
def test_counts_equal_a_recount_from_the_reference_engine(measure, warmup, capacity):
    trace = gsp(groups=4, prompts=3, block=200, seed=2)
    known = policies()
    report = measure_ratios(trace, [capacity], list(known.values()), seeds=2, warmup=warmup, measure=measure)
    (run,) = report.runs
    first = int(warmup * len(trace))
    weight = trace.tree.tokens if measure == "tokens" else np.minimum(trace.tree.depth, 1)
    assert report.counted == sum(weight[trace.tree.path(int(v))].sum() for v in trace.requests[first:])
    assert run.cut_requests == sum(trace.tree.depth[v] > capacity for v in trace.requests)
    for measured in run.policies:
        counts = []
        for seed in range(measured.seeds):
            engine = ReferenceEngine(trace.tree, capacity, known[measured.name], seed)
            missed = 0
            for t, v in enumerate(trace.requests):
                path = trace.tree.path(int(v))
                cached = set(engine.cached)
                engine.serve(path[:capacity][-1])
                if t >= first:
                    missed += sum(int(weight[u]) for u in path if u not in cached)
            counts.append(missed)
        assert measured.misses == (sum(counts) / 2 if measured.seeds == 2 else counts[0])
        assert measured.hit_rate == pytest.approx(1 - measured.misses / report.counted)


def test_interval_is_students():
    misses = [103, 110, 96, 105, 99]
    mean, interval = ratio_interval(misses, 40, randomised=True)
    expected = stats.t.interval(0.95, 4, loc=np.mean(misses), scale=stats.sem(misses))
    assert mean == np.mean(misses) / 40
    assert interval == pytest.approx([end / 40 for end in expected])


@pytest.mark.parametrize(
    ("misses", "opt", "randomised", "expected"),
    [
        ([7], 7, False, (1.0, None)),
        ([7], 7, True, (1.0, None)),
        ([0], 0, False, (1.0, None)),
        ([3], 0, False, (None, None)),
        ([8, 8], 4, False, (2.0, None)),
    ],
)
def test_ratio_edges(misses, opt, randomised, expected):
    assert ratio_interval(misses, opt, randomised=randomised) == expected


def test_no_policy_beats_opt_and_none_exceeds_its_bound():
    trace = zipf(documents=40, blocks=3, requests=600, seed=5)
    report = measure_ratios(trace, [5, 20, 60, 122], list(policies().values()), seeds=3)
    for run in report.runs:
        assert run.opt_hit_rate <= report.ceiling_hit_rate
        for measured in run.policies:
            assert measured.misses >= run.opt_misses
            assert measured.bound is None or measured.ratio <= measured.bound


def test_bounds_are_withheld_where_no_theorem_covers_them():
    trace = zipf(documents=10, requests=50)
    for options in ({"warmup": 0.5}, {"measure": "tokens"}, {"bypass": True}):
        (run,) = measure_ratios(trace, [12], [policies()["lru"]], **options).runs
        assert run.policies[0].bound is None
    (run,) = measure_ratios(trace, [12], [policies()["lru"], policies()["fifo"]]).runs
    assert [measured.bound for measured in run.policies] == [width(trace.tree, 12).W - 1, None]


def test_bypass_can_only_help_opt():
    trace = zipf(documents=40, blocks=3, requests=300, seed=6)
    plain, bypass = (measure_ratios(trace, [10], [], bypass=flag).runs[0] for flag in (False, True))
    assert bypass.opt_misses < plain.opt_misses


def test_conjectured_claims_are_no_bounds():
    found = width(zipf(documents=5).tree, 4)
    assert proved_bound(policies()["fifo"], found) is None
    assert proved_bound(policies()["rlt"], found) == pytest.approx(4 * (1 + 1 / 2))


@pytest.mark.parametrize("warmup", [-0.1, 1.0, float("nan")])
def test_bad_warmup(warmup):
    with pytest.raises(InputError, match="warmup"):
        Counter(zipf(requests=5), warmup, "nodes")


def test_empty_prompts_cost_nothing():
    trace = Trace.from_parents([0], [0, 0])
    report = measure_ratios(trace, [1], [policies()["rlt"]])
    assert report.ceiling_hit_rate is None
    assert report.runs[0].policies[0].ratio == 1.0


def test_no_requests():
    with pytest.raises(InputError, match="no requests"):
        measure_ratios(Trace.from_parents([0], []), [1], [])


@pytest.mark.parametrize(
    ("text", "nodes", "expected"),
    [
        ("5", 9, [5]),
        ("10%", 1234, [123]),
        ("0.01%", 50, [1]),
        ("33.4%", 1000, [334]),
        ("100%", 7, [7]),
        ("250%", 10, [25]),
        (" 3 , 50% ", 10, [3, 5]),
        ("0.29%", 100_000, [290]),
    ],
)
def test_capacities(text, nodes, expected):
    assert parse_capacities(text, nodes) == expected
