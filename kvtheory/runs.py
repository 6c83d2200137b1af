"""Runs: stretches of a trace's tree whose nodes are always requested together.

A node belongs to its parent's run if it is the only child and no request ends at the parent. All nodes of a
run then have the same last use and the same next use, so engines that look at nothing else (leaf-LRU,
Belady) can treat a run as one entry with a count of cached nodes: a request costs its runs, not its nodes.
On the Mooncake conversation trace 288,500 accesses become 37,454.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kvtheory._numba import njit
from kvtheory.model import IntArray, Trace


@dataclass(frozen=True, eq=False)
class Runs:
    """A trace's tree with its runs merged; run 0 is the root.

    Attributes:
        parent: int32, shape (R+1,): the run above each run; -1 for the root.
        length: int32, shape (R+1,): nodes in each run; 0 for the root.
        start: int32, shape (R+1,): the nodes of run r, top first, are `nodes[start[r] : start[r]+length[r]]`.
        nodes: int32, shape (n,).
        requests: int32, shape (N,): the run at whose bottom each request ends.
        visits: number of (request, run on its path) pairs.
    """

    parent: IntArray
    length: IntArray
    start: IntArray
    nodes: IntArray
    requests: IntArray
    visits: int


def runs_of(trace: Trace) -> Runs:
    """The runs of a trace, computed once."""
    if "runs" not in trace.memo:
        parent, length, start, nodes, run_of, height = merge_runs(trace.tree.parent, trace.requests)
        requests = run_of[trace.requests]
        visits = int(height[requests].sum(dtype=np.int64))
        trace.memo["runs"] = Runs(parent, length, start, nodes, requests, visits)
    found: Runs = trace.memo["runs"]
    return found


@njit
def merge_runs(
    parent: IntArray, requests: IntArray
) -> tuple[IntArray, IntArray, IntArray, IntArray, IntArray, IntArray]:
    """Parent, length, start and nodes of each run, the run of each node, and the height of each run."""
    size = parent.size
    children = np.zeros(size, np.int32)
    ends = np.zeros(size, np.bool_)
    for v in range(1, size):
        children[parent[v]] += 1
    for v in requests:
        ends[v] = True
    ends[0] = True
    run_of = np.zeros(size, np.int32)
    runs = 1
    for v in range(1, size):
        p = parent[v]
        if ends[p] or children[p] != 1:
            run_of[v] = runs
            runs += 1
        else:
            run_of[v] = run_of[p]
    above = np.full(runs, -1, np.int32)
    length = np.zeros(runs, np.int32)
    height = np.zeros(runs, np.int32)
    for v in range(1, size):
        r = run_of[v]
        if length[r] == 0:
            above[r] = run_of[parent[v]]
            height[r] = height[above[r]] + 1
        length[r] += 1
    start = np.zeros(runs, np.int32)
    for r in range(1, runs):
        start[r] = start[r - 1] + length[r - 1]
    nodes = np.empty(size - 1, np.int32)
    filled = start.copy()
    for v in range(1, size):
        nodes[filled[run_of[v]]] = v
        filled[run_of[v]] += 1
    return above, length, start, nodes, run_of, height


@njit
def log_victims(
    nodes: IntArray, bottom: int, count: int, victims: npt.NDArray[np.int32], evictions: int
) -> int:
    """Append `count` nodes of a run, from `nodes[bottom]` upwards, to a log of victims, if one is kept."""
    if victims.size:
        for i in range(count):
            victims[evictions + i] = nodes[bottom - i]
    return evictions + count
