"""Runs: nodes that are always requested together, against their definition."""

from __future__ import annotations

import numpy as np
from hypothesis import given

from kvtheory.model import PrefixTree, Trace
from kvtheory.runs import runs_of
from kvtheory.testing.instances import Instance, broom, line, star
from kvtheory.testing.strategies import instances


def naive_runs(instance: Instance) -> list[list[int]]:
    """Stretches from the top: a node continues its parent's if it is the only child and none ends there."""
    parents = (-1, *instance.parents)
    runs: list[list[int]] = []
    for v in range(1, len(parents)):
        parent = parents[v]
        alone = parents.count(parent) == 1
        if parent and alone and parent not in instance.requests:
            next(run for run in runs if run[-1] == parent).append(v)
        else:
            runs.append([v])
    return runs


@given(instances(max_nodes=14))
def test_runs_are_those_of_the_definition(instance: Instance) -> None:
    runs = runs_of(instance.trace)
    stretches = [runs.nodes[a : a + n].tolist() for a, n in zip(runs.start, runs.length, strict=True)]
    assert stretches[0] == []
    assert stretches[1:] == naive_runs(instance)
    assert runs.parent[0] == -1
    for r, stretch in enumerate(stretches[1:], start=1):
        above = instance.parents[stretch[0] - 1]
        assert above == 0 if runs.parent[r] == 0 else above == stretches[runs.parent[r]][-1]


@given(instances(max_nodes=14))
def test_every_request_ends_at_the_bottom_of_its_run(instance: Instance) -> None:
    runs = runs_of(instance.trace)
    visits = 0
    for v, run in zip(instance.requests, runs.requests.tolist(), strict=True):
        path: list[int] = []
        r = run
        while r > 0:
            path = runs.nodes[runs.start[r] : runs.start[r] + runs.length[r]].tolist() + path
            visits += 1
            r = int(runs.parent[r])
        assert path == instance.path(v)
    assert runs.visits == visits


def test_a_path_requested_as_a_whole_is_one_run() -> None:
    runs = runs_of(Instance(line(50), 50, (50, 50)).trace)
    assert runs.length.tolist() == [0, 50]
    assert runs.visits == 2


def test_a_star_has_as_many_runs_as_leaves() -> None:
    assert runs_of(Instance(star(4), 2, (1, 3)).trace).length.tolist() == [0, 1, 1, 1, 1]


def test_a_request_inside_cuts_a_run() -> None:
    assert runs_of(Instance(broom(3, 2), 5, (4, 5, 2)).trace).length.tolist() == [0, 2, 1, 1, 1]


def test_runs_are_computed_once_and_belong_to_one_trace() -> None:
    trace = Trace(PrefixTree.from_parents(line(3)), np.array([3, 3]))
    assert runs_of(trace) is runs_of(trace)
    cut, _ = trace.cut(2)
    assert runs_of(cut).length.tolist() == [0, 2, 1]
