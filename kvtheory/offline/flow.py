"""Eviction as a minimum-cost flow over intervals [Chrobak1991]_, and the linear relaxation of every variant.

`capacity` units flow through the requests in order of time. A unit on an interval's arc holds one node from
one use to the next and earns its gain; the units that pass through request t itself are the room of its
pinned path, so at least `|path(t)|` of them must (with bypass, none must). The matrix is a network's: for
equal sizes the relaxation is integral. What a tree adds is closure. Where gains do not grow with depth it
is free, and an exchange turns the flow into a closed schedule that costs no more. Where they do, closure
rows are added while violated, the relaxation may be fractional, and its value is a lower bound only.
docs/theory/formulations has the derivation.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from kvtheory.errors import InputError
from kvtheory.model import LongArray, Trace
from kvtheory.offline.costs import require_costs, scaled
from kvtheory.offline.exchange import closed_keep, victims_of
from kvtheory.offline.intervals import Intervals, interval_program, intervals_of
from kvtheory.offline.network import network_keep
from kvtheory.offline.program import FloatArray, IntegerProgram, Rows
from kvtheory.offline.result import BOUND, Number, Solution, conclude
from kvtheory.offline.rounding import rounded_schedules
from kvtheory.offline.witness import Replayed, replay_schedule

METHODS = ("lp", "network")
CLOSURE_ROUNDS = 200


def solve_flow(
    trace: Trace,
    capacity: int,
    *,
    cost: Sequence[Number] | None = None,
    hit_cost: Sequence[Number] | None = None,
    bypass: bool = False,
    method: str = "lp",
    time_limit: float | None = None,
) -> Solution:
    """The interval relaxation, its exact bound, and a schedule; optimal where costs do not grow with depth.

    Args:
        trace: requests whose paths fit (see :meth:`Trace.cut`).
        capacity: nodes the cache holds.
        cost: miss cost of each node; default 1.
        hit_cost: hit cost of each node, at most its miss cost; default 0.
        bypass: a served path need not stay in the cache.
        method: `lp` (HiGHS through scipy), or `network` (network simplex of networkx: small and readable;
            where costs do not grow with depth only).
        time_limit: seconds; on reaching it the schedule and the bound found so far are returned.

    Raises:
        InputError: if a path does not fit, or a cost is negative, not exact, or below its hit cost; if the
            network is asked for where closure is not free.
    """
    began = time.perf_counter()
    if method not in METHODS:
        raise InputError(f"{method!r} is not one of {', '.join(METHODS)}", field="method")
    factor, problem, prices = prepared(trace, capacity, cost, hit_cost, None, bypass)
    if method == "network" and not problem.nested:
        raise InputError(
            "costs grow with depth: closure is not free, and the network ignores it", field="method"
        )
    if method == "network":
        keep, bound = network_keep(problem)
    else:
        left = None if time_limit is None else time_limit - (time.perf_counter() - began)
        keep_or_none, point, bound = relaxed(problem, time_limit=left)
        keep = keep_or_none if keep_or_none is not None else np.zeros(0, dtype=np.int64)
        if keep_or_none is None:
            schedules = rounded_schedules(problem, point)
            best = min(schedules, key=lambda victims: replayed(problem, victims, prices).total)
            return _concluded(problem, best, prices, bound, factor, method, began)
    if problem.nested:
        keep = closed_keep(problem, keep)
    return _concluded(problem, victims_of(problem, keep), prices, bound, factor, method, began)


def _concluded(
    problem: Intervals,
    victims: Sequence[Sequence[int]],
    prices: tuple[list[int], list[int]],
    bound: Fraction,
    factor: int,
    method: str,
    began: float,
) -> Solution:
    seen = replayed(problem, victims, prices)
    return conclude(
        Fraction(seen.total) / factor,
        bound / factor,
        seen.misses,
        victims,
        method=f"flow:{method}",
        seconds=time.perf_counter() - began,
        otherwise=BOUND,
    )


def prepared(
    trace: Trace,
    capacity: int,
    cost: Sequence[Number] | None,
    hit_cost: Sequence[Number] | None,
    size: Sequence[int] | None,
    bypass: bool,
    *,
    merge: bool = True,
) -> tuple[int, Intervals, tuple[list[int], list[int]]]:
    """Validate, scale to integers, and build the intervals: scale factor, problem, (miss, hit) as integers.

    Raises:
        InputError: as :func:`solve_flow`.
    """
    n = trace.tree.n
    miss: Sequence[Number] = [0, *([1] * n)] if cost is None else list(cost)
    hit: Sequence[Number] = [0] * (n + 1) if hit_cost is None else list(hit_cost)
    require_costs(miss, n + 1, "cost")
    require_costs(hit, n + 1, "hit_cost")
    if size is not None:
        require_costs(size, n + 1, "size")
        if any(s != int(s) for s in size):
            raise InputError("sizes are whole units", field="size")
    if isinstance(capacity, bool) or not isinstance(capacity, (int, np.integer)):
        raise InputError(f"capacity {capacity!r} is not a whole number", field="capacity")
    factor, (miss_int, hit_int) = scaled(miss, hit)
    miss_int[0] = hit_int[0] = 0
    problem = intervals_of(trace, int(capacity), miss_int, hit_int, size, bypass=bypass, merge=merge)
    return factor, problem, (miss_int, hit_int)


def replayed(
    problem: Intervals,
    victims: Sequence[Sequence[int]],
    prices: tuple[list[int], list[int]],
    size: Sequence[int] | None = None,
) -> Replayed:
    """What the independent replayer finds a schedule of this problem to cost, in scaled integers."""
    trace = problem.trace
    return replay_schedule(
        trace.tree.parent.tolist(),
        trace.requests.tolist(),
        problem.capacity,
        victims,
        bypass=problem.bypass,
        miss_cost=prices[0],
        hit_cost=prices[1],
        size=size,
    )


def relaxed(
    problem: Intervals, *, time_limit: float | None = None
) -> tuple[LongArray | None, FloatArray, Fraction]:
    """Solve the relaxation with HiGHS; closure rows are added while the point violates them.

    Returns:
        The point in whole numbers if it is whole (and closed, unless closure is free), else None; the point
        in floats; a lower bound proved exactly.
    """
    began = time.perf_counter()
    program = interval_program(problem, differenced=True)
    best: Fraction | None = None
    for _ in range(CLOSURE_ROUNDS):
        left = None if time_limit is None else max(0.0, time_limit - (time.perf_counter() - began))
        solved = _linprog(program, left)
        if solved is None:
            break
        point, dual = solved
        found = program.exact_bound(dual)
        best = found if best is None or found > best else best
        x = point[: len(problem)]
        extra = None if problem.nested else violated_closure(problem, x)
        if extra is None or not len(extra):
            keep = np.rint(x).astype(np.int64)
            is_whole = bool((np.abs(x - keep) < 1e-6).all())
            return (keep if is_whole else None), x, best
        program = program.adding(extra)
    if best is None:
        best = program.exact_bound(np.zeros(len(program.rows)), denominators=(1,))
    return None, np.zeros(len(problem)), best


def _linprog(program: IntegerProgram, time_limit: float | None) -> tuple[FloatArray, FloatArray] | None:
    """Point and row duals from scipy's HiGHS; None if the time ran out."""
    from scipy.optimize import linprog
    from scipy.sparse import csr_array

    rows = program.rows
    matrix = csr_array(
        (rows.value.astype(np.float64), (rows.row, rows.column)), shape=(len(rows), program.cost.size)
    )
    equal, other = np.flatnonzero(rows.equal), np.flatnonzero(~rows.equal)
    if not program.cost.size:
        return np.zeros(0), np.zeros(len(rows))
    solve: Any = linprog
    found = solve(
        program.cost.astype(np.float64),
        A_ub=matrix[other] if other.size else None,
        b_ub=rows.rhs[other] if other.size else None,
        A_eq=matrix[equal] if equal.size else None,
        b_eq=rows.rhs[equal] if equal.size else None,
        bounds=np.column_stack([np.zeros(program.cost.size), program.bound]),
        method="highs-ds",
        options={} if time_limit is None else {"time_limit": time_limit},
    )
    if found.status != 0:
        return None
    dual = np.zeros(len(rows))
    if equal.size:
        dual[equal] = found.eqlin.marginals
    if other.size:
        dual[other] = found.ineqlin.marginals
    return np.asarray(found.x), dual


def violated_closure(problem: Intervals, x: FloatArray) -> Rows:
    """Closure rows that a point violates: one per interval, for the least kept part of the piece above."""
    pairs = violated_pairs(problem, x)
    return Rows.of([([i, j], [1, -1], 0) for i, j in pairs])


def violated_pairs(problem: Intervals, x: FloatArray, tolerance: float = 1e-6) -> list[tuple[int, int]]:
    """Pairs (interval, part of the interval of the piece above inside it) where the first is kept more."""
    low, high = problem.within
    inner = np.flatnonzero((low < high) & (x > tolerance))
    pairs = []
    for i in inner.tolist():
        j = int(low[i]) + int(x[low[i] : high[i]].argmin())
        if x[i] > x[j] + tolerance:
            pairs.append((i, j))
    return pairs
