"""The linear relaxation of an integer program in HiGHS, kept warm while bounds change and rows arrive."""

from __future__ import annotations

from typing import Any

import numpy as np

from kvtheory.model import LongArray
from kvtheory.offline.program import FloatArray, IntegerProgram, Rows


def quiet_highs() -> Any:
    """A HiGHS object that prints nothing: `highspy.Highs()` itself writes a banner to stdout (1.16)."""
    import highspy

    solver: Any = getattr(highspy, "_Highs", highspy.Highs)()
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("threads", 1)
    return solver


class Relaxation:
    """The linear relaxation of a growing program in HiGHS, resolved from the last basis."""

    def __init__(self, program: IntegerProgram) -> None:
        import highspy
        from scipy.sparse import csr_array

        self.program = program
        self.solver: Any = quiet_highs()
        self.optimal = highspy.HighsModelStatus.kOptimal
        rows, columns = program.rows, program.cost.size
        entries = rows.value.astype(np.float64)
        matrix = csr_array((entries, (rows.row, rows.column)), shape=(len(rows), columns))
        lp: Any = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = columns, len(rows)
        lp.col_cost_ = program.cost.astype(np.float64)
        lp.col_lower_ = np.zeros(columns)
        lp.col_upper_ = program.bound.astype(np.float64)
        lp.row_lower_ = np.where(rows.equal, rows.rhs, -np.inf).astype(np.float64)
        lp.row_upper_ = rows.rhs.astype(np.float64)
        lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        lp.a_matrix_.start_, lp.a_matrix_.index_ = matrix.indptr, matrix.indices
        lp.a_matrix_.value_ = matrix.data
        self.solver.passModel(lp)

    def add(self, rows: Rows) -> None:
        """Append rows to the solver and to the program."""
        self.program = self.program.adding(rows)
        order = np.argsort(rows.row, kind="stable")
        starts = np.searchsorted(rows.row[order], np.arange(len(rows))).astype(np.int32)
        self.solver.addRows(
            len(rows),
            np.where(rows.equal, rows.rhs, -np.inf).astype(np.float64),
            rows.rhs.astype(np.float64),
            int(rows.row.size),
            starts,
            rows.column[order].astype(np.int32),
            rows.value[order].astype(np.float64),
        )

    def solve(
        self, low: LongArray, high: LongArray, seconds: float
    ) -> tuple[FloatArray | None, FloatArray, bool]:
        """Point (None if there is none), row duals, and whether the duals are a ray of infeasibility."""
        columns = low.size
        solver = self.solver
        every = np.arange(columns, dtype=np.int32)
        solver.changeColsBounds(columns, every, low.astype(np.float64), high.astype(np.float64))
        solver.setOptionValue("time_limit", float(solver.getRunTime() + max(0.05, seconds)))
        solver.run()
        if solver.getModelStatus() == self.optimal:
            found = solver.getSolution()
            return np.array(found.col_value), np.array(found.row_dual), False
        _, has_ray, ray = solver.getDualRay()
        if has_ray:
            return None, np.array(ray), True
        return None, np.zeros(len(self.program.rows)), False
