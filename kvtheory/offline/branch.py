"""Branch and bound whose every bound is exact: HiGHS proposes duals, integers decide.

Best bound first. A node of the search is closed only where the rounded dual of its relaxation proves, in
integers, that it holds nothing better than the incumbent; so when the search ends, the incumbent is proved
optimal.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from kvtheory.model import LongArray
from kvtheory.offline.gomory import gomory_rows, zero_half_rows
from kvtheory.offline.program import FloatArray, IntegerProgram, Rows
from kvtheory.offline.relaxation import Relaxation

WHOLE = 1e-6
DENOMINATOR = 1 << 20
CUT_ROUNDS = 60
FEW_CUTS = 20

Separate = Callable[[FloatArray], Rows]
Propagate = Callable[[LongArray, LongArray], bool]
Accept = Callable[[LongArray], int | None]


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


@dataclass(frozen=True)
class _Branch:
    """How a node of the search came about: column, side, distance moved, and the bound before."""

    column: int
    side: int
    distance: float
    bound: float


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
        self.rises = np.zeros((2, program.cost.size))
        self.tries = np.zeros((2, program.cost.size))
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
            strengthen: what to separate here instead of `separate`: also rows that are implied for whole
                points.
        """
        if not self.propagate(self.low, self.high):
            return
        relaxed = self._relax(self.low, self.high, deadline, CUT_ROUNDS, self.bound, separate=strengthen)
        self.point, self.dual, self.bound = relaxed

    def cut(self, value: int, deadline: float, strengthen: Separate) -> None:
        """Add zero-half and Gomory cuts to the root while they raise its bound below `value`."""
        stalled, first = 0, self.bound
        kept = len(self.program.rows)
        for _ in range(CUT_ROUNDS):
            if self.point is None or stalled >= 3 or time.perf_counter() >= deadline:
                break
            if self.program.round_up(self.bound) >= value:
                break
            rows = zero_half_rows(self.relaxation, self.point, self.high)
            if len(rows) < FEW_CUTS:
                rows += gomory_rows(self.relaxation, self.point, self.high)
            if not len(rows):
                break
            self.relaxation.add(rows)
            before = self.bound
            point, dual, bound = self._relax(self.low, self.high, deadline, 4, before, separate=strengthen)
            if point is None:
                break
            self.point, self.dual, self.bound = point, dual, bound
            stalled = stalled + 1 if 50 * (bound - before) < bound - first else 0
        self._purge(kept)

    def _purge(self, kept: int) -> None:
        """Drop the rows after the first `kept` that have no part in the root's bound."""
        rows = self.program.rows
        needed = np.arange(len(rows)) < kept
        needed[: self.dual.size] |= np.abs(self.dual) > WHOLE
        if not needed.all():
            self.dual = self._dual()[needed]
            self.relaxation = Relaxation(replace(self.program, rows=rows.only(needed)))

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
        heap: list[tuple[int, int, _Branch | None, LongArray, LongArray]] = []
        heapq.heappush(heap, (start, 0, None, self.low.copy(), self.high.copy()))
        nodes = 0
        while heap and heap[0][0] < value:
            if time.perf_counter() >= deadline or (node_limit is not None and nodes >= node_limit):
                break
            before, _, branch, low, high = heapq.heappop(heap)
            nodes += 1
            if not self.propagate(low, high):
                continue
            x, _, exact = self._relax(low, high, deadline, CUT_ROUNDS, Fraction(before), value)
            bound = program.round_up(exact)
            if branch is not None:
                self._learn(branch, float(exact))
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
                distance = 1.0 if x is None else max(WHOLE, float(abs(x[column] - (middle + side))))
                step = _Branch(column, side, distance, float(exact))
                heapq.heappush(heap, (bound, -nodes * 2 - side, step, new_low, new_high))
        bound = min([value, *(entry[0] for entry in heap)])
        return Found(bound, value, point, nodes)

    def _own_value(self, whole: LongArray) -> int | None:
        if not self.program.feasible(whole) or len(self.separate(whole.astype(np.float64))):
            return None
        return self.program.value(whole)

    def _choose(self, x: FloatArray | None, low: LongArray, high: LongArray) -> int:
        """The column to branch on: the largest product of expected rises, else the first that is free."""
        free = (low < high) & self.program.whole
        if x is None:
            return int(np.flatnonzero(free)[0])
        down, up = x - np.floor(x), np.ceil(x) - x
        loose = free & (np.minimum(down, up) > WHOLE)
        if not loose.any():
            return int(np.flatnonzero(free)[0])
        seen = np.maximum(self.tries, 1)
        scale = self.rises.sum() / max(1.0, float((self.weight * self.tries).sum())) or 1.0
        rise = np.where(self.tries > 0, self.rises / seen, self.weight * scale)
        score = np.maximum(rise[0] * down, 1e-6) * np.maximum(rise[1] * up, 1e-6)
        return int(np.where(loose, score, -1.0).argmax())

    def _learn(self, branch: _Branch, bound: float) -> None:
        """Record how much a branch raised the bound, per unit of distance."""
        self.rises[branch.side, branch.column] += max(0.0, bound - branch.bound) / branch.distance
        self.tries[branch.side, branch.column] += 1

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
