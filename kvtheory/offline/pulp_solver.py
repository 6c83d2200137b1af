"""An integer program through PuLP and HiGHS, one thread, warm-started; its answer is a claim to be checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kvtheory.model import LongArray
from kvtheory.offline.branch import quiet_highs
from kvtheory.offline.program import IntegerProgram


@dataclass(frozen=True)
class Claim:
    """What the solver says.

    Attributes:
        point: its best point, rounded; None if it has none, or if the rounded point breaks a row.
        optimal: PuLP's `sol_status` is LpSolutionOptimal; still only a claim.
    """

    point: LongArray | None
    optimal: bool


def to_pulp(
    program: IntegerProgram, low: LongArray | None = None, high: LongArray | None = None
) -> tuple[Any, list[Any]]:
    """The program as a PuLP problem, and its variables in column order."""
    import pulp

    low = np.zeros_like(program.bound) if low is None else low
    high = program.bound if high is None else high
    problem = pulp.LpProblem("kvtheory", pulp.LpMinimize)
    x = [
        pulp.LpVariable(f"x{j:09d}", int(low[j]), int(high[j]), pulp.LpInteger if whole else pulp.LpContinuous)
        for j, whole in enumerate(program.whole.tolist())
    ]
    problem += pulp.LpAffineExpression([(x[j], int(program.cost[j])) for j in np.flatnonzero(program.cost)])
    problem.addVariables(x)
    order = np.argsort(program.rows.row, kind="stable")
    row = program.rows.row[order]
    column, value = program.rows.column[order].tolist(), program.rows.value[order].tolist()
    starts = np.searchsorted(row, np.arange(len(program.rows) + 1)).tolist()
    for i in range(len(program.rows)):
        terms: dict[Any, int] = {}
        for e in range(starts[i], starts[i + 1]):
            terms[x[column[e]]] = terms.get(x[column[e]], 0) + value[e]
        left = pulp.LpAffineExpression(list(terms.items()))
        sense = pulp.LpConstraintEQ if program.rows.equal[i] else pulp.LpConstraintLE
        problem.addConstraint(pulp.LpConstraint(left, sense, f"r{i}", int(program.rows.rhs[i])))
    return problem, x


def solve_pulp(
    program: IntegerProgram,
    *,
    low: LongArray | None = None,
    high: LongArray | None = None,
    start: LongArray | None = None,
    time_limit: float | None = None,
    gap: float = 0.0,
) -> Claim:
    """Solve with HiGHS from a starting point.

    Args:
        program: what to minimise.
        low: lower bounds of the columns; default 0.
        high: upper bounds; default the program's.
        start: a feasible point.
        time_limit: seconds.
        gap: relative gap at which to stop.
    """
    import highspy
    import pulp

    class WarmHiGHS(pulp.HiGHS):  # type: ignore[misc]
        """PuLP's HiGHS without its banner, given a starting point just before it runs."""

        def createAndConfigureSolver(self, lp: Any) -> None:  # noqa: N802
            lp.solverModel = quiet_highs()
            lp.solverModel.setOptionValue("mip_rel_gap", float(gap))
            lp.solverModel.setOptionValue("mip_abs_gap", 0.0)
            if time_limit is not None:
                lp.solverModel.setOptionValue("time_limit", max(0.1, float(time_limit)))

        def callSolver(self, lp: Any) -> None:  # noqa: N802
            if start is not None:
                point = highspy.HighsSolution()
                values = np.zeros(start.size)
                for variable, given in zip(x, start, strict=True):
                    values[variable.index] = float(given)
                point.col_value = values
                lp.solverModel.setSolution(point)
            lp.solverModel.run()

    problem, x = to_pulp(program, low, high)
    if not x:
        return Claim(np.zeros(0, dtype=np.int64), True)
    problem.solve(WarmHiGHS(msg=False))
    if any(variable.varValue is None for variable in x):
        return Claim(None, False)
    values = np.array([variable.varValue for variable in x])
    if problem.sol_status not in (pulp.LpSolutionOptimal, pulp.LpSolutionIntegerFeasible):
        return Claim(None, False)
    point = np.rint(values).astype(np.int64)
    optimal = problem.sol_status == pulp.LpSolutionOptimal
    if program.whole.all() and not program.feasible(point):
        return Claim(None, optimal)
    return Claim(point, optimal)
