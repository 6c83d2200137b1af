"""The minimum-cost flow of a nested eviction problem by network simplex: small, readable, the reference."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from kvtheory.model import LongArray
from kvtheory.offline.intervals import Intervals, interval_program


def network_keep(problem: Intervals) -> tuple[LongArray, Fraction]:
    """Solve a nested problem by network simplex: what is kept, and the bound its potentials prove."""
    import networkx

    requests, k = len(problem.trace), problem.capacity
    graph: Any = networkx.MultiDiGraph()
    for t in range(requests):
        pinned = 0 if problem.bypass else int(problem.load[t])
        graph.add_node(("in", t), demand=pinned - (k if t == 0 else 0))
        graph.add_node(("out", t), demand=-pinned + (k if t == requests - 1 else 0))
        graph.add_edge(("in", t), ("out", t), key=-1, weight=0, capacity=k - pinned)
        if t + 1 < requests:
            graph.add_edge(("out", t), ("in", t + 1), key=-1, weight=0, capacity=k)
    low, high = problem.span
    keep = problem.most.copy()
    spans = [i for i in range(len(problem)) if low[i] < high[i]]
    for i in spans:
        source = ("in", int(low[i])) if problem.bypass else ("out", int(low[i]) - 1)
        target = ("in", int(high[i]))
        graph.add_edge(source, target, key=i, weight=-int(problem.gains[i]), capacity=int(problem.most[i]))
    if not spans:
        return keep, Fraction(problem.value(keep))
    flow = networkx.min_cost_flow(graph)
    for i in spans:
        source = ("in", int(low[i])) if problem.bypass else ("out", int(low[i]) - 1)
        keep[i] = flow[source][("in", int(high[i]))][i]
    return keep, network_bound(problem, keep)


def network_bound(problem: Intervals, keep: LongArray) -> Fraction:
    """A lower bound from the potentials of a flow: shortest distances in its residual network, whole numbers.

    Requests that share their room are rows; the price of a unit of room at each is the drop of the potential.
    Where the flow is not optimal the residual network has a negative cycle, and the bound is left weak.
    """
    program = interval_program(problem)
    room, rows = program.rows.rhs, program.rows
    steps = room.size
    used = np.zeros(steps, dtype=np.int64)
    np.add.at(used, rows.row, keep[rows.column])
    first = np.full(len(problem), steps, dtype=np.int64)
    last = np.full(len(problem), -1, dtype=np.int64)
    np.minimum.at(first, rows.column, rows.row)
    np.maximum.at(last, rows.column, rows.row)
    arcs = []
    for s in range(steps):
        arcs.append((s, s + 1, 0))
        if used[s] < room[s]:
            arcs.append((s + 1, s, 0))
    for i in range(len(problem)):
        if first[i] <= last[i]:
            if keep[i] < problem.most[i]:
                arcs.append((int(first[i]), int(last[i]) + 1, -int(problem.gains[i])))
            if keep[i] > 0:
                arcs.append((int(last[i]) + 1, int(first[i]), int(problem.gains[i])))
    distance = [0] * (steps + 1)
    for _ in range(steps + 1):
        changed = False
        for a, b, weight in arcs:
            if distance[a] + weight < distance[b]:
                distance[b] = distance[a] + weight
                changed = True
        if not changed:
            break
    price = -np.maximum(0, -np.diff(np.array(distance, dtype=np.int64)))
    return program.exact_bound(price.astype(np.float64), denominators=(1,))
