"""The joint program of routing and eviction in interval form, per worker [Wu2026]_."""

from __future__ import annotations

import numpy as np

from kvtheory.model import LongArray
from kvtheory.offline.branch import Accept
from kvtheory.offline.intervals import Intervals, intervals_of
from kvtheory.offline.program import IntegerProgram, Rows
from kvtheory.offline.routing_search import RoutingSearch
from kvtheory.offline.worker_costs import Routing


class RoutingProgram:
    """THEORY's joint program in interval form, per worker.

    Columns: y[t,j], request t goes to worker j; for every interval i of the whole trace (two consecutive
    requests for a piece, on any worker) kept[i,j], nodes of it that worker j holds in between, and at its
    end hit[i,j], nodes found there, and held[i,j], nodes carried on by a worker that does not serve that
    request; the objective C. Once y is whole, each worker is a flow, so the rest may be continuous; where
    costs grow with depth, closure rows are added and everything is whole.
    """

    def __init__(self, routing: Routing) -> None:
        self.routing = routing
        intervals = intervals_of(routing.trace, routing.capacity, routing.miss, routing.hit)
        self.intervals = intervals
        m, requests, count = routing.workers, len(routing.trace), len(intervals)
        self.y, self.kept = 0, requests * m
        self.hit, self.held = self.kept + count * m, self.kept + 2 * count * m
        self.columns = self.kept + 3 * count * m + 1
        bound = np.ones(self.columns, dtype=np.int64)
        for block in (self.kept, self.hit, self.held):
            bound[block : block + count * m] = np.repeat(intervals.most, m)
        for t in range(requests):
            bound[t * m + t + 1 : (t + 1) * m] = 0
        service = [
            routing.fixed[t] + sum(routing.miss[v] for v in routing.tree.path(v_t))
            for t, v_t in enumerate(routing.trace.requests.tolist())
        ]
        bound[-1] = sum(service)
        cost = np.zeros(self.columns, dtype=np.int64)
        cost[-1] = 1
        whole = np.ones(self.columns, dtype=np.bool_)
        if intervals.nested:
            whole[self.kept :] = False
        rows = Rows.of(self._assignment(requests), equal=True)
        rows += Rows.of(self._caches(intervals) + self._loads(service) + self._symmetry(requests))
        if not intervals.nested:
            rows += Rows.of(self._closure(intervals) or [((0,), (1,), 1)])
        self.program = IntegerProgram(cost, bound, rows, whole=whole)
        self.weight = np.ones(self.columns)
        self.weight[: self.kept] = np.repeat(np.array(service, dtype=np.float64), m) + 1

    def _at(self, block: int, i: int, j: int) -> int:
        return block + i * self.routing.workers + j

    def _assignment(self, requests: int) -> list[tuple[list[int], list[int], int]]:
        m = self.routing.workers
        return [([t * m + j for j in range(m)], [1] * m, 1) for t in range(requests)]

    def _caches(self, intervals: Intervals) -> list[tuple[list[int], list[int], int]]:
        rows: list[tuple[list[int], list[int], int]] = []
        m, k = self.routing.workers, self.routing.capacity
        first = intervals.first.tolist()
        most = intervals.most.tolist()
        requests = len(self.routing.trace)
        spanning: list[list[int]] = [[] for _ in range(requests)]
        ending: list[list[int]] = [[] for _ in range(requests)]
        for i in range(len(intervals)):
            start, end = int(intervals.start[i]), int(intervals.end[i])
            ending[end].append(i)
            for t in range(start + 1, end):
                spanning[t].append(i)
            begins = first[int(intervals.owner[i])] == i
            for j in range(m):
                kept, hit = self._at(self.kept, i, j), self._at(self.hit, i, j)
                held = self._at(self.held, i, j)
                if begins:
                    rows.append(([kept, start * m + j], [1, -most[i]], 0))
                else:
                    rows.append(([kept, start * m + j, self._at(self.held, i - 1, j)], [1, -most[i], -1], 0))
                rows.append(([hit, held, kept], [1, 1, -1], 0))
                rows.append(([hit, end * m + j], [1, -most[i]], 0))
        for t in range(requests):
            for j in range(m):
                columns = [self._at(self.kept, i, j) for i in spanning[t]]
                columns += [self._at(self.held, i, j) for i in ending[t]]
                load = int(intervals.load[t])
                rows.append(([*columns, t * m + j], [*([1] * len(columns)), load], k))
        return rows

    def _loads(self, service: list[int]) -> list[tuple[list[int], list[int], int]]:
        m, gains = self.routing.workers, self.intervals.gains.tolist()
        total = self.routing.objective == "total"
        rows = []
        for worker in [range(m)] if total else [range(j, j + 1) for j in range(m)]:
            columns = [t * m + j for t in range(len(service)) for j in worker]
            values = [service[t] for t in range(len(service)) for _ in worker]
            columns += [self._at(self.hit, i, j) for i in range(len(gains)) for j in worker]
            values += [-gains[i] for i in range(len(gains)) for _ in worker]
            rows.append(([*columns, self.columns - 1], [*values, -1], 0))
        return rows

    def _symmetry(self, requests: int) -> list[tuple[list[int], list[int], int]]:
        """Worker j takes its first request only after worker j-1 has taken one."""
        m = self.routing.workers
        return [
            ([t * m + j, *(s * m + j - 1 for s in range(t))], [1, *([-1] * t)], 0)
            for t in range(1, requests)
            for j in range(1, min(m, t + 1))
        ]

    def _closure(self, intervals: Intervals) -> list[tuple[list[int], list[int], int]]:
        low, high = intervals.within
        return [
            ([self._at(self.kept, i, j), self._at(self.kept, part, j)], [1, -1], 0)
            for i in range(len(intervals))
            for part in range(int(low[i]), int(high[i]))
            for j in range(self.routing.workers)
        ]

    def workers_of(self, point: LongArray) -> list[int] | None:
        """The routing of a point, None if some request has not exactly one worker."""
        m = self.routing.workers
        y = point[: self.kept].reshape(-1, m)
        if not ((y == 0) | (y == 1)).all() or (y.sum(axis=1) != 1).any():
            return None
        return [int(j) for j in y.argmax(axis=1)]

    def accept(self, search: RoutingSearch) -> Accept:
        """The exact value of a whole routing, evictions chosen optimally."""

        def value(point: LongArray) -> int | None:
            workers = self.workers_of(point)
            return None if workers is None else search.value(workers)

        return value
