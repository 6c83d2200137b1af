"""Branch and bound whose every bound is exact: HiGHS proposes duals, integers decide.

Best bound first. A node of the search is closed only where the rounded dual of its relaxation proves, in integers, that it
holds nothing better than the incumbent; so when the search ends, the incumbent is proved optimal.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from kvtheory.model import LongArray
from kvtheory.offline.gomory import gomory_rows
from kvtheory.offline.program import FloatArray, IntegerProgram, Rows

WHOLE = 1e-6
DENOMINATOR = 1 << 20
CUT_ROUNDS = 60

Separate = Callable[[FloatArray], Rows]
Propagate = Callable[[LongArray, LongArray], bool]
Accept = Callable[[LongArray], int | None]


def quiet_highs() -> Any:
    """A HiGHS object that prints nothing: from 1.16 on `highspy.Highs()` writes a banner to stdout as it is made."""
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


@dataclass(frozen=True)
class Found:
    """The outcome of a search.

    Attributes:
        bound: no whole point is better; equals `value` if the search ended.
        value: the incumbent's objective.
        point: the incumbent, None if it is still the one given.
        nodes: nodes of the search.
    """

    bound: int
    value: int
    point: LongArray | None
    nodes: int


class Search:
    """Best-first branch and bound over an integer program with lazily separated rows.

    Args:
        program: the program; rows that `separate` returns are added to it.
        separate: valid rows that a point violates; a whole point without any is a solution.
        propagate: tightens (low, high) in place by integer reasoning; False if nothing is left.
        weight: how much a column matters, to choose what to branch on.
        accept: the least value of a solution with these whole columns, None if there is none; by default the
            point's own value if it satisfies every row.
    """

    def __init__(
        self,
        program: IntegerProgram,
        separate: Separate,
        propagate: Propagate,
        weight: FloatArray,
        accept: Accept | None = None,
    ) -> None:
        self.relaxation = Relaxation(program)
        self.accept = accept or self._own_value
        self.separate, self.propagate, self.weight = separate, propagate, weight
        self.low = np.zeros_like(program.bound)
        self.high = program.bound.copy()
        self.point: FloatArray | None = None
        self.dual = np.zeros(len(program.rows))
        self.bound = Fraction(program.offset + int(np.minimum(0, program.cost * program.bound).sum()))

    @property
    def program(self) -> IntegerProgram:
        """The program with every row separated so far."""
        return self.relaxation.program

    def root(self, deadline: float, strengthen: Separate | None = None) -> None:
        """Tighten and solve the root: sets `low`, `high`, `point`, `dual` and the exact `bound`.

        Args:
            deadline: when to stop (`time.perf_counter`).
            strengthen: what to separate here instead of `separate`: also rows that are implied for whole points.
        """
        if not self.propagate(self.low, self.high):
            return
        relaxed = self._relax(self.low, self.high, deadline, CUT_ROUNDS, self.bound, separate=strengthen)
        self.point, self.dual, self.bound = relaxed

    def cut(self, value: int, deadline: float, strengthen: Separate) -> None:
        """Add Gomory cuts to the root while they raise its bound and it does not close `value`."""
        stalled = 0
        for _ in range(CUT_ROUNDS):
            if self.point is None or stalled >= 4 or time.perf_counter() >= deadline:
                return
            if self.program.round_up(self.bound) >= value:
                return
            rows = gomory_rows(self.relaxation, self.point, self.high)
            if not len(rows):
                return
            self.relaxation.add(rows)
            before = self.bound
            point, dual, bound = self._relax(
                self.low, self.high, deadline, 4, before, separate=strengthen
            )
            if point is None:
                return
            self.point, self.dual, self.bound = point, dual, bound
            stalled = stalled + 1 if bound - before < (value - before) / 100 else 0

    def fix_by_reduced_cost(self, value: int) -> int:
        """Fix columns whose change would cost more than `value`; returns how many."""
        _, rest = self.program.reduced_costs(self._dual(), DENOMINATOR)
        bound = self.program.exact_bound(self._dual(), self.low, self.high, denominators=(DENOMINATOR,))
        room = (value - bound) * DENOMINATOR
        slack = room.numerator // room.denominator
        free = self.low < self.high
        down = free & (np.asarray(rest > slack, dtype=np.bool_))
        up = free & (np.asarray(-rest > slack, dtype=np.bool_))
        self.high[down] = self.low[down]
        self.low[up] = self.high[up]
        return int(down.sum() + up.sum())

    def _dual(self) -> FloatArray:
        missing = len(self.program.rows) - self.dual.size
        return np.concatenate([self.dual, np.zeros(missing)]) if missing else self.dual

    def run(self, value: int, deadline: float, node_limit: int | None = None) -> Found:
        """Search for anything better than `value` until the deadline (`time.perf_counter`)."""
        program = self.program
        point: LongArray | None = None
        start = program.round_up(self.bound)
        heap: list[tuple[int, int, int, LongArray, LongArray]] = []
        heapq.heappush(heap, (start, 0, 0, self.low.copy(), self.high.copy()))
        nodes = 0
        while heap and heap[0][0] < value:
            if time.perf_counter() >= deadline or (node_limit is not None and nodes >= node_limit):
                break
            before, _, depth, low, high = heapq.heappop(heap)
            nodes += 1
            if not self.propagate(low, high):
                continue
            x, _, exact = self._relax(low, high, deadline, CUT_ROUNDS, Fraction(before), value)
            bound = program.round_up(exact)
            if bound >= value:
                continue
            fixed = not ((low < high) & program.whole).any()
            whole = low if x is None else np.rint(x).astype(np.int64)
            if fixed or (x is not None and not (np.abs(x - whole) > WHOLE)[program.whole].any()):
                found = self.accept(np.clip(whole, low, high))
                if found is not None and found < value:
                    value, point = found, np.clip(whole, low, high)
                if fixed or bound >= value:
                    continue
            column = self._choose(x, low, high)
            middle = int(low[column]) if x is None else int(np.floor(x[column]))
            middle = min(max(middle, int(low[column])), int(high[column]) - 1)
            for side in (0, 1):
                new_low, new_high = low.copy(), high.copy()
                if side:
                    new_low[column] = middle + 1
                else:
                    new_high[column] = middle
                heapq.heappush(heap, (bound, -nodes * 2 - side, depth + 1, new_low, new_high))
        bound = min([value, *(entry[0] for entry in heap)])
        return Found(bound, value, point, nodes)

    def _own_value(self, whole: LongArray) -> int | None:
        if not self.program.feasible(whole) or len(self.separate(whole.astype(np.float64))):
            return None
        return self.program.value(whole)

    def _choose(self, x: FloatArray | None, low: LongArray, high: LongArray) -> int:
        """The column to branch on: the most fractional by weight, else the first that is free."""
        free = (low < high) & self.program.whole
        if x is None:
            return int(np.flatnonzero(free)[0])
        score = np.where(free, np.minimum(x - np.floor(x), np.ceil(x) - x) * self.weight, -1.0)
        if score.max() > WHOLE * self.weight.max():
            return int(score.argmax())
        return int(np.flatnonzero(free)[0])

    def _relax(
        self,
        low: LongArray,
        high: LongArray,
        deadline: float,
        rounds: int,
        before: Fraction,
        value: int | None = None,
        *,
        separate: Separate | None = None,
    ) -> tuple[FloatArray | None, FloatArray, Fraction]:
        """Solve with rounds of separation; the point, the duals, and the best exact bound met."""
        separate = separate or self.separate
        best = before
        x: FloatArray | None = None
        dual = np.zeros(len(self.program.rows))
        for _ in range(max(1, rounds)):
            x, dual, is_ray = self.relaxation.solve(low, high, deadline - time.perf_counter())
            if is_ray:
                empty = max(
                    self.program.exact_bound(sign * dual, low, high, denominators=(DENOMINATOR,), ray=True)
                    for sign in (1.0, -1.0)
                )
                if empty > 0 and value is not None:
                    return None, dual, Fraction(max(value, self.program.round_up(best)))
                return None, dual, best
            if x is None:
                return None, dual, best
            found = self.program.exact_bound(dual, low, high, denominators=(DENOMINATOR,))
            best = max(best, found)
            if value is not None and self.program.round_up(best) >= value:
                break
            rows = separate(x)
            if not len(rows) or time.perf_counter() >= deadline:
                break
            self.relaxation.add(rows)
        return x, dual, best
