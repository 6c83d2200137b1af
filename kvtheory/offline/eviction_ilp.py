"""Eviction as an integer program: any node costs and sizes, hit prices, bypass; total cost or worst latency.

One whole variable per node and interval (:mod:`kvtheory.offline.intervals`), not per node and request. Four
steps, each of
which may end the solve: schedules by score; the relaxation with fixings, closure rows and cover cuts; HiGHS
through PuLP, warm-started, for the best point; and, because a float solver's bound is no proof, a branch
and bound of our own that closes nodes only by duals checked in integers (:mod:`kvtheory.offline.branch`).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from math import inf

import numpy as np

from kvtheory.errors import InputError, VerificationError
from kvtheory.model import LongArray, Trace
from kvtheory.offline.branch import Search, Separate
from kvtheory.offline.closure import NO_ROWS, Closure
from kvtheory.offline.exchange import closed_keep, kept_by, victims_of
from kvtheory.offline.flow import prepared, replayed
from kvtheory.offline.intervals import Intervals, interval_program
from kvtheory.offline.program import FloatArray, IntegerProgram, Rows
from kvtheory.offline.pulp_solver import solve_pulp
from kvtheory.offline.result import GAP, LIMIT, Number, Solution, conclude
from kvtheory.offline.rounding import rounded_schedules

OBJECTIVES = ("total", "latency")
LARGEST = 100_000_000  # nodes x requests: closure is looked at request by request
DIVE_SECONDS = 10.0
PULP_SECONDS = 1e-5  # per matrix entry: what PuLP takes to build its model
DIFFERENCED = 20_000  # intervals of a nested problem from which consecutive capacity rows are subtracted


def solve_ilp(
    trace: Trace,
    capacity: int,
    *,
    cost: Sequence[Number] | None = None,
    hit_cost: Sequence[Number] | None = None,
    size: Sequence[int] | None = None,
    bypass: bool = False,
    objective: str = "total",
    time_limit: float | None = None,
    gap: float = 0.0,
) -> Solution:
    """The least cost of serving a trace, with a schedule and a bound proved in exact arithmetic.

    Args:
        trace: requests whose paths fit (see :meth:`Trace.cut`).
        capacity: nodes the cache holds, or units of `size`.
        cost: miss cost of each node; default 1.
        hit_cost: hit cost of each node, at most its miss cost; default 0.
        size: units of capacity of each node, whole; default 1. A node is evicted whole.
        bypass: a served path need not stay in the cache.
        objective: `total`, or `latency`: the cost of the dearest request.
        time_limit: seconds; on reaching it the status is `limit`, with the best schedule and bound found.
        gap: stop when (value - bound) / value is at most this; the status is then `gap`.

    Raises:
        InputError: if the instance is too large, a path does not fit, a cost or size is negative, not exact,
            or below its hit cost, or the objective, the time limit or the gap makes no sense.
    """
    began = time.perf_counter()
    if objective not in OBJECTIVES:
        raise InputError(f"{objective!r} is not one of {', '.join(OBJECTIVES)}", field="objective")
    check_limits(time_limit, gap)
    deadline = inf if time_limit is None else began + time_limit
    factor, problem, prices = prepared(
        trace, capacity, cost, hit_cost, size, bypass, merge=objective == "total"
    )
    entries = len(problem.nodes) * len(trace)
    if entries > LARGEST and not (problem.nested and objective == "total"):
        message = f"{len(problem.nodes) - 1} nodes and {len(trace)} requests are too many for costs that grow"
        raise InputError(f"{message} with depth, sizes or latency: use flow, which bounds it", field="method")
    solver = _Eviction(problem, prices, size, objective)
    solver.solve(deadline, gap)
    seen = replayed(problem, solver.victims, prices, size)
    if solver.measure(seen.costs) != solver.value:
        raise VerificationError("the witness was replayed twice with different results")
    value = Fraction(solver.value)
    close = gap > 0 and (value - solver.bound) <= Fraction(gap) * value
    return conclude(
        value / factor,
        Fraction(solver.bound) / factor,
        seen.misses,
        solver.victims,
        method="ilp",
        seconds=time.perf_counter() - began,
        otherwise=GAP if close else LIMIT,
    )


def check_limits(time_limit: float | None, gap: float) -> None:
    """Refuse a time limit or a gap that makes no sense.

    Raises:
        InputError: naming the field.
    """
    if time_limit is not None and not time_limit > 0:
        raise InputError(f"{time_limit} is not a positive number of seconds", field="time-limit")
    if not 0 <= gap < 1:
        raise InputError(f"{gap} is not a fraction from 0 up to, not including, 1", field="gap")


class _Eviction:
    """One solve: the incumbent (replayed) and the proved bound, improved step by step."""

    def __init__(
        self,
        problem: Intervals,
        prices: tuple[list[int], list[int]],
        size: Sequence[int] | None,
        objective: str,
    ) -> None:
        self.latency = objective == "latency"
        self.problem = replace(problem, nested=False) if self.latency else problem
        self.prices, self.size = prices, size
        self.victims: list[list[int]] = []
        self.value, self.bound = -1, 0
        self.keep: LongArray | None = None

    def measure(self, costs: Sequence[Number]) -> int:
        """The objective of a replayed schedule."""
        return int(max(costs, default=0) if self.latency else sum(costs))

    def offer(self, victims: list[list[int]], keep: LongArray | None = None) -> None:
        """Keep a schedule if the replayer finds it better."""
        found = self.measure(replayed(self.problem, victims, self.prices, self.size).costs)
        if self.value < 0 or found < self.value:
            self.value, self.victims, self.keep = found, victims, keep

    def offer_point(self, point: LongArray) -> None:
        """Keep the schedule of a whole point if it is better."""
        keep = point[: len(self.problem)]
        if self.problem.nested:
            keep = closed_keep(self.problem, keep)
        self.offer(victims_of(self.problem, keep), keep)

    def solve(self, deadline: float, gap: float) -> None:
        """Improve value and bound until they meet, are within the gap, or the time is up."""
        problem = self.problem
        for victims in rounded_schedules(problem):
            self.offer(victims)
        program = self._program()
        strengthen: Separate = _no_rows
        if problem.nested:
            search = Search(program, _no_rows, _no_change, self._weight(program))
        else:
            closure = Closure(problem)
            strengthen = closure.strengthen
            search = Search(program, closure.separate, closure.propagate, self._weight(program))
        search.root(deadline, strengthen)
        self._settle(search)
        if search.point is not None:
            whole = np.rint(search.point).astype(np.int64)
            if np.abs(search.point - whole).max(initial=0.0) < 1e-6 and not len(
                search.separate(whole.astype(np.float64))
            ):
                self.offer_point(whole)
            for victims in rounded_schedules(problem, search.point[: len(problem)]):
                self.offer(victims)
        if self._done(deadline, gap):
            return
        search.cut(self.value, deadline, strengthen)
        self._settle(search)
        if self._done(deadline, gap):
            return
        full = search.program.adding(self._closure_rows()) if not problem.nested else search.program
        self._dive(search, full, deadline)
        if self._done(deadline, gap):
            return
        search.fix_by_reduced_cost(self.value)
        search.propagate(search.low, search.high)
        left = deadline - time.perf_counter()
        start = self._start(program, search.low, search.high)
        if left > full.rows.row.size * PULP_SECONDS:
            limit = None if left == inf else left / 2
            claim = solve_pulp(full, low=search.low, high=search.high, start=start, time_limit=limit, gap=gap)
            if claim.point is not None:
                self.offer_point(claim.point)
        if self._done(deadline, gap):
            return
        search.fix_by_reduced_cost(self.value)
        found = search.run(self.value, deadline)
        if found.point is not None:
            self.offer_point(found.point)
        self.bound = max(self.bound, found.bound)

    def _dive(self, search: Search, full: IntegerProgram, deadline: float) -> None:
        """Ask PuLP for the best point that agrees with the relaxation wherever that is whole."""
        left = deadline - time.perf_counter()
        if search.point is None or left <= full.rows.row.size * PULP_SECONDS:
            return
        low, high = search.low.copy(), search.high.copy()
        rounded = np.rint(search.point).astype(np.int64)
        settled = np.abs(search.point - rounded) < 1e-6
        low[settled] = high[settled] = np.clip(rounded, low, high)[settled]
        claim = solve_pulp(full, low=low, high=high, time_limit=min(DIVE_SECONDS, left / 4))
        if claim.point is not None:
            self.offer_point(claim.point)

    def _settle(self, search: Search) -> None:
        self.bound = max(self.bound, search.program.round_up(search.bound))

    def _done(self, deadline: float, gap: float) -> bool:
        close = self.value - self.bound <= gap * self.value
        return close or time.perf_counter() >= deadline

    def _program(self) -> IntegerProgram:
        problem = self.problem
        if not self.latency:
            return interval_program(problem, differenced=problem.nested and len(problem) > DIFFERENCED)
        program = interval_program(problem)
        miss, count = self.prices[0], len(problem)
        worst = [sum(miss[v] for p in path for v in problem.nodes[p]) for path in problem.paths]
        ending: list[list[int]] = [[] for _ in worst]
        for i in range(count):
            ending[int(problem.end[i])].append(i)
        rows = [
            ([*ending[t], count], [*(-int(problem.gains[i]) for i in ending[t]), -1], -worst[t])
            for t in range(len(worst))
            if ending[t] or worst[t]
        ]
        return IntegerProgram(
            np.append(np.zeros(count, dtype=np.int64), 1),
            np.append(problem.most, max(worst, default=0)),
            program.rows + Rows.of(rows),
        )

    def _weight(self, program: IntegerProgram) -> FloatArray:
        weight = np.zeros(program.cost.size)
        weight[: len(self.problem)] = self.problem.gains + 1
        return weight

    def _closure_rows(self) -> Rows:
        low, high = self.problem.within
        pairs = [([i, j], [1, -1], 0) for i in range(len(self.problem)) for j in range(low[i], high[i])]
        return Rows.of(pairs) if pairs else NO_ROWS

    def _start(self, program: IntegerProgram, low: LongArray, high: LongArray) -> LongArray | None:
        """The incumbent as a point, if it is one of the program's."""
        keep = self.keep if self.keep is not None else kept_by(self.problem, self.victims)
        point = np.zeros(program.cost.size, dtype=np.int64)
        point[: len(self.problem)] = keep
        if self.latency:
            point[-1] = self.value
        if (point < low).any() or (point > high).any() or not program.feasible(point):
            return None
        return point


def _no_rows(_: FloatArray) -> Rows:
    return NO_ROWS


def _no_change(_low: LongArray, _high: LongArray) -> bool:
    return True
