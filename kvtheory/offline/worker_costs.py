"""One worker's part of a routing: its least cost, or least worst latency, for the requests it is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from kvtheory.model import PrefixTree, Trace
from kvtheory.offline.belady import _next_uses, _replay
from kvtheory.runs import runs_of

WorkerCost = Callable[[tuple[int, ...]], int]


@dataclass(frozen=True, eq=False)
class Routing:
    """A routing problem in scaled integers.

    Attributes:
        trace: the requests; every path fits.
        workers: identical workers, each with its own cache.
        capacity: nodes per cache.
        hit: cost of a cached node, by node.
        miss: cost of a missed node, by node; at least its hit cost.
        fixed: cost of each request whatever is cached (output, nodes that were cut).
        release: when each request arrives, non-decreasing.
        objective: `makespan`, `total` or `latency`.
        even: all nodes cost the same: per-worker Belady is exact.
    """

    trace: Trace
    workers: int
    capacity: int
    hit: list[int]
    miss: list[int]
    fixed: list[int]
    release: list[int]
    objective: str
    even: bool

    @property
    def tree(self) -> PrefixTree:
        """The trace's tree."""
        return self.trace.tree


def belady_cost(routing: Routing) -> WorkerCost:
    """Least cost of one worker that serves the given requests, by Belady; nodes must cost the same."""
    trace = routing.trace
    runs = runs_of(trace)
    depth = trace.tree.depth
    height = np.zeros(runs.parent.size, dtype=np.int64)
    for r in range(1, runs.parent.size):
        height[r] = height[runs.parent[r]] + 1
    layout = (runs.parent, runs.length, runs.start, runs.nodes)
    nothing, offsets = np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int64)
    some = int(trace.requests.max(initial=0))
    hit_cost, miss_cost = routing.hit[some], routing.miss[some]
    saved = miss_cost - hit_cost

    def cost(served: tuple[int, ...]) -> int:
        which = np.array(served, dtype=np.int64)
        ends = runs.requests[which]
        hit = np.empty(len(served), dtype=np.int32)
        upcoming = _next_uses(runs.parent, ends, int(height[ends].sum()))
        _replay(*layout, ends, routing.capacity, False, upcoming, hit, nothing, offsets)
        nodes, hits = int(depth[trace.requests[which]].sum()), int(depth[hit].sum())
        return nodes * miss_cost - hits * saved + sum(routing.fixed[t] for t in served)

    return cost


def eviction_cost(routing: Routing) -> WorkerCost:
    """Least cost of one worker by the eviction solver: any node costs."""
    from kvtheory.offline.eviction_ilp import solve_ilp

    def cost(served: tuple[int, ...]) -> int:
        trace = Trace(routing.tree, routing.trace.requests[np.array(served, dtype=np.int64)])
        solved = solve_ilp(trace, routing.capacity, cost=routing.miss, hit_cost=routing.hit)
        return int(solved.value) + sum(routing.fixed[t] for t in served)

    return cost


def latency_cost(routing: Routing) -> WorkerCost:
    """Least worst latency of one worker: every useful closed state, with its (finish, worst) pairs.

    A cache that holds more is never worse, so only as much is evicted as must be.
    """
    best = latency_states(routing)

    def cost(served: tuple[int, ...]) -> int:
        return min(worst for front in best(served).values() for _, worst in front)

    return cost


def latency_states(
    routing: Routing,
) -> Callable[[tuple[int, ...]], dict[frozenset[int], list[tuple[int, int]]]]:
    """For a sequence of requests, the reachable states with their undominated (finish, worst) pairs."""
    tree = routing.tree
    parent = tree.parent.tolist()
    paths = {int(v): frozenset(tree.path(int(v))) for v in set(routing.trace.requests.tolist())}
    known: dict[tuple[int, ...], dict[frozenset[int], list[tuple[int, int]]]] = {
        (): {frozenset(): [(0, 0)]},
    }

    def states(served: tuple[int, ...]) -> dict[frozenset[int], list[tuple[int, int]]]:
        if served in known:
            return known[served]
        before = states(served[:-1])
        t = served[-1]
        path = paths[int(routing.trace.requests[t])]
        after: dict[frozenset[int], list[tuple[int, int]]] = {}
        for state, front in before.items():
            paid = sum(routing.hit[u] if u in state else routing.miss[u] for u in path) + routing.fixed[t]
            pairs = []
            for finish, worst in front:
                done = max(finish, routing.release[t]) + paid
                pairs.append((done, max(worst, done - routing.release[t])))
            for new in shrunk(state | path, path, routing.capacity, parent):
                after[new] = _front(after.get(new, []) + pairs)
        known[served] = after
        return after

    return states


def shrunk(
    held: frozenset[int], path: frozenset[int], capacity: int, parent: Sequence[int]
) -> set[frozenset[int]]:
    """Every closed set that is left when just enough unpinned leaves are evicted."""
    level = {held}
    for _ in range(len(held) - capacity):
        level = {
            state - {u} for state in level for u in state - path if not any(parent[w] == u for w in state)
        }
    return level


def _front(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    kept: list[tuple[int, int]] = []
    for finish, worst in sorted(set(pairs)):
        if not kept or worst < kept[-1][1]:
            kept.append((finish, worst))
    return kept


def pooled_suffix(routing: Routing) -> list[int]:
    """For each t, what requests t.. cost at least: one cache of all workers' room, filled at will.

    All caches together are a closed set of at most workers * capacity nodes that serves every hit. Farthest
    next use is optimal for equal costs; elsewhere each miss is counted at the least difference of miss and
    hit cost.
    """
    requests = routing.trace.requests.tolist()
    paths = [routing.tree.path(v) for v in requests]
    room = routing.workers * routing.capacity
    cheapest = min((routing.miss[v] - routing.hit[v] for p in paths for v in p), default=0)
    dearest = max((routing.miss[v] - routing.hit[v] for p in paths for v in p), default=0)
    base = [sum(routing.hit[v] for v in path) + routing.fixed[t] for t, path in enumerate(paths)]
    uses: dict[int, list[int]] = {}
    for t, path in enumerate(paths):
        for v in path:
            uses.setdefault(v, []).append(t)
    bounds = [0] * (len(requests) + 1)
    for t in range(len(requests) - 1, -1, -1):
        cached = {v for path in paths[:t] for v in path}
        compulsory = {v for path in paths[t:] for v in path} - cached
        misses = 0
        for s in range(t, len(requests)):
            misses += sum(v not in cached for v in paths[s])
            cached |= set(paths[s])
            if len(cached) > room:
                by_use = sorted(cached - set(paths[s]), key=lambda v: _next_use(uses[v], s))
                cached = set(paths[s]) | set(by_use[: room - len(paths[s])])
        extra = misses * cheapest
        if cheapest != dearest:
            extra = max(extra, sum(routing.miss[v] - routing.hit[v] for v in compulsory))
        bounds[t] = sum(base[t:]) + extra
    return bounds


def _next_use(uses: list[int], after: int) -> int:
    return next((t for t in uses if t > after), 1 << 60)
