"""Feasible schedules from scores: evict the leaf whose current interval is worth least.

Any score gives a legal schedule, so these are upper bounds whatever the solver said.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator

import numpy as np

from kvtheory.offline.intervals import Intervals
from kvtheory.offline.program import FloatArray


def rounded_schedules(problem: Intervals, point: FloatArray | None = None) -> Iterator[list[list[int]]]:
    """Schedules by several scores: farthest next use, gain per room and time, and the relaxation's point.

    Args:
        problem: the intervals.
        point: how much of each interval the relaxation keeps.
    """
    lengths = (problem.end - problem.start).astype(np.float64)
    density = problem.gains / (lengths * problem.sizes)
    yield score_schedule(problem, -problem.end.astype(np.float64))
    yield score_schedule(problem, density)
    if point is not None and point.size == len(problem):
        share = np.asarray(point, dtype=np.float64) / np.maximum(1, problem.most)
        yield score_schedule(problem, share + 1e-6 * density / (1 + density.max(initial=0.0)))
        yield score_schedule(problem, (share + 0.05) * density)


def score_schedule(problem: Intervals, score: FloatArray) -> list[list[int]]:
    """Serve the trace; while over capacity evict the leaf of least score, those never used again first.

    A piece's nodes share its interval's score. With bypass the current path is among the candidates.
    """
    count = len(problem.nodes)
    upcoming, stop = problem.first[:-1].tolist(), problem.first[1:].tolist()
    held, below, version = [0] * count, [0] * count, [0] * count
    worth = [-np.inf] * count
    depth = [0] * count
    for p in range(1, count):
        depth[p] = depth[problem.above[p]] + 1
    heap: list[tuple[float, int, int, int]] = []
    used = 0
    steps = []
    for path in problem.paths:
        for p in path:
            if not held[p]:
                below[problem.above[p]] += 1
            used += (len(problem.nodes[p]) - held[p]) * problem.size[p]
            held[p] = len(problem.nodes[p])
            i = upcoming[p]
            upcoming[p] = i + 1
            worth[p] = float(score[i]) if i < stop[p] else -np.inf
            version[p] += 1
        pinned = set() if problem.bypass else set(path)
        evicted: list[int] = []
        waiting: list[tuple[float, int, int, int]] = []
        offered = [path[-1]] if path and not below[path[-1]] else []
        while True:
            for p in offered:
                heapq.heappush(heap, (worth[p], -depth[p], p, version[p]))
            offered = []
            if used <= problem.capacity:
                break
            entry = heapq.heappop(heap)
            p = entry[2]
            if entry[3] != version[p] or below[p] or not held[p]:
                continue
            if p in pinned:
                waiting.append(entry)
                continue
            units = min(held[p], -(-(used - problem.capacity) // problem.size[p]))
            evicted.extend(reversed(problem.nodes[p][held[p] - units : held[p]]))
            held[p] -= units
            used -= units * problem.size[p]
            q = problem.above[p]
            if held[p]:
                offered = [p]
            else:
                below[q] -= 1
                if q > 0 and not below[q]:
                    offered = [q]
        for entry in waiting:
            heapq.heappush(heap, entry)
        steps.append(evicted)
    return steps
