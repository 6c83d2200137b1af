"""Joint routing and eviction by depth-first search over routings, exact in integers throughout.

A fixed routing decouples: each worker is an eviction problem of its own, solved exactly for the requests it
was given so far. Its cost never falls when requests are added. A branch is cut by the largest load, and by
the average: loads so far plus what the remaining requests cost one worker that pools all caches and starts
with whatever it likes.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from kvtheory.offline.worker_costs import (
    Routing,
    belady_cost,
    eviction_cost,
    latency_cost,
    pooled_suffix,
)


@dataclass
class SearchResult:
    """Best routing found, its value, and the proved bound."""

    value: int
    bound: int
    workers: list[int]
    nodes: int


class RoutingSearch:
    """Depth-first branch and bound over the worker of each request, in order of time."""

    def __init__(self, routing: Routing) -> None:
        self.routing = routing
        if routing.objective == "latency":
            self.raw = latency_cost(routing)
        else:
            self.raw = belady_cost(routing) if routing.even else eviction_cost(routing)
        self.known: dict[tuple[int, ...], int] = {(): 0}
        self.suffix = pooled_suffix(routing)
        self.requests = len(routing.trace)

    def cost(self, served: tuple[int, ...]) -> int:
        """Least cost (or worst latency) of one worker that serves these requests."""
        found = self.known.get(served)
        if found is None:
            found = self.known[served] = self.raw(served)
        return found

    def value(self, workers: Sequence[int]) -> int:
        """The objective of a routing."""
        loads = [
            self.cost(tuple(t for t, w in enumerate(workers) if w == j)) for j in range(self.routing.workers)
        ]
        return sum(loads) if self.routing.objective == "total" else max(loads)

    def lower_bound(self, loads: Sequence[int], t: int) -> int:
        """No completion of a partial routing of t requests costs less."""
        if self.routing.objective == "total":
            return sum(loads) + self.suffix[t]
        if self.routing.objective == "latency":
            return max(loads)
        average = -(-(sum(loads) + self.suffix[t]) // self.routing.workers)
        return max(average, *loads)

    def greedy(self) -> list[int]:
        """Each request to the worker where the objective grows least."""
        m = self.routing.workers
        sets: list[tuple[int, ...]] = [()] * m
        workers: list[int] = []
        for t in range(self.requests):
            options = []
            for j in range(m):
                loads = [self.cost((*s, t)) if i == j else self.cost(s) for i, s in enumerate(sets)]
                goal = sum(loads) if self.routing.objective == "total" else max(loads)
                options.append((goal, sum(loads), loads[j], j))
            j = min(options)[3]
            sets[j] = (*sets[j], t)
            workers.append(j)
        return workers

    def improve(self, workers: list[int], deadline: float) -> list[int]:
        """Local search: move one request, or swap two, while the sorted loads fall."""

        def key(routed: list[int]) -> tuple[int, ...]:
            loads = [
                self.cost(tuple(t for t, w in enumerate(routed) if w == j))
                for j in range(self.routing.workers)
            ]
            if self.routing.objective == "total":
                return (sum(loads),)
            return tuple(sorted(loads, reverse=True))

        best, at = key(workers), 0
        tried = 0
        n, m = self.requests, self.routing.workers
        moves = [(t, j, -1) for t in range(n) for j in range(m)]
        moves += [(t, -1, s) for t in range(n) for s in range(t)]
        while moves and tried < len(moves) and time.perf_counter() < deadline:
            t, j, s = moves[at]
            at = (at + 1) % len(moves)
            tried += 1
            new = list(workers)
            if s < 0:
                new[t] = j
            else:
                new[t], new[s] = new[s], new[t]
            if new == workers:
                continue
            found = key(new)
            if found < best:
                best, workers, tried = found, new, 0
        return workers

    def run(self, deadline: float, gap: float = 0.0, start: list[int] | None = None) -> SearchResult:
        """Search to the end, the deadline (`time.perf_counter`), or the gap."""
        m, n = self.routing.workers, self.requests
        best = start if start is not None else self.improve(self.greedy(), deadline)
        value = self.value(best)
        root = self.lower_bound([0] * m, 0)
        nodes = 0
        sets: list[tuple[int, ...]] = [()] * m
        loads = [0] * m
        stack: list[tuple[int, int, list[tuple[int, int, int]]]] = []
        path: list[tuple[int, tuple[int, ...], int]] = []

        def children(t: int) -> list[tuple[int, int, int]]:
            """(bound, load, worker) of every choice worth trying, the best last."""
            options = []
            fresh = False
            for j in range(m):
                if not sets[j]:
                    if fresh:
                        continue
                    fresh = True
                load = self.cost((*sets[j], t))
                before, loads[j] = loads[j], load
                bound = self.lower_bound(loads, t + 1)
                loads[j] = before
                if bound < value:
                    options.append((bound, load, j))
            return sorted(options, reverse=True)

        finished = True
        if value > root:
            stack.append((0, root, children(0)))
        while stack:
            if time.perf_counter() >= deadline or (gap > 0 and value - root <= gap * value):
                finished = False
                break
            t, _, options = stack[-1]
            while options and options[-1][0] >= value:
                options.pop()
            if not options:
                stack.pop()
                if path:
                    j, before, load = path.pop()
                    sets[j], loads[j] = before, load
                continue
            bound, load, j = options.pop()
            nodes += 1
            path.append((j, sets[j], loads[j]))
            sets[j], loads[j] = (*sets[j], t), load
            if t + 1 == n:
                value = sum(loads) if self.routing.objective == "total" else max(loads)
                best = [0] * n
                for worker, served in enumerate(sets):
                    for s in served:
                        best[s] = worker
                j, before, load = path.pop()
                sets[j], loads[j] = before, load
                if value <= root:
                    break
                continue
            stack.append((t + 1, bound, children(t + 1)))
        if finished:
            return SearchResult(value, value, best, nodes)
        open_bounds = [option[0] for _, _, options in stack for option in options]
        return SearchResult(value, min([value, *open_bounds]), best, nodes)
