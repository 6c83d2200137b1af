"""An integer program through PuLP and HiGHS, one thread, warm-started; what it answers is a claim."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kvtheory.model import LongArray
from kvtheory.offline.program import IntegerProgram
from kvtheory.offline.relaxation import quiet_highs


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
) -> tuple[Any, dict[int, Any]]:
    """The program as a PuLP problem, and the variable of each column that occurs in it."""
    import pulp

    low = np.zeros_like(program.bound) if low is None else low
    high = program.bound if high is None else high
    problem = pulp.LpProblem("kvtheory", pulp.LpMinimize)
    new_variable = getattr(problem, "add_variable", pulp.LpVariable)  # the first from PuLP 3.3 on
    occurs = np.union1d(np.flatnonzero(program.cost), program.rows.column).tolist()
    x = {
        j: new_variable(
            f"x{j:09d}", int(low[j]), int(high[j]), pulp.LpInteger if program.whole[j] else pulp.LpContinuous
        )
        for j in occurs
    }
    problem += pulp.LpAffineExpression([(x[j], int(program.cost[j])) for j in np.flatnonzero(program.cost)])
    order = np.argsort(program.rows.row, kind="stable")
    row = program.rows.row[order]
    column, value = program.rows.column[order].tolist(), program.rows.value[order].tolist()
    starts = np.searchsorted(row, np.arange(len(program.rows) + 1)).tolist()
    for i, (rhs, equal) in enumerate(
        zip(program.rows.rhs.tolist(), program.rows.equal.tolist(), strict=True)
    ):
        if starts[i] < starts[i + 1]:
            here = slice(starts[i], starts[i + 1])
            left = pulp.LpAffineExpression(
                [(x[c], v) for c, v in zip(column[here], value[here], strict=True)]
            )
            problem += (left == rhs) if equal else (left <= rhs)
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
                values = np.zeros(len(x))
                for j, variable in x.items():
                    values[variable.index] = float(start[j])
                point.col_value = values
                lp.solverModel.setSolution(point)
            lp.solverModel.run()

    problem, x = to_pulp(program, low, high)
    if not x:
        return Claim(np.zeros(0, dtype=np.int64), True)
    problem.solve(WarmHiGHS(msg=False))
    if problem.sol_status not in (pulp.LpSolutionOptimal, pulp.LpSolutionIntegerFeasible):
        return Claim(None, False)
    if any(variable.varValue is None for variable in x.values()):
        return Claim(None, False)
    point = (np.zeros_like(program.bound) if low is None else low).copy()
    for j, variable in x.items():
        point[j] = round(variable.varValue)
    optimal = problem.sol_status == pulp.LpSolutionOptimal
    if program.whole.all() and not program.feasible(point):
        return Claim(None, optimal)
    return Claim(point, optimal)
