"""Integer programs in exact integers, and bounds on them that no float decides.

An :class:`IntegerProgram` is data: minimise `offset + cost . x` over whole x within `0..bound` and rows `A
x <= rhs` or `A x == rhs`. HiGHS looks at it in floats. What it returns is used as a hint only: any vector
y, non-positive on the inequality rows, proves

    offset + y . rhs + sum_j min over 0 <= x_j <= bound_j of (cost - A'y)_j x_j

to be a lower bound, because every variable is boxed; so the solver's dual is rounded to a rational and the
expression evaluated in integers (the safe bound of Neumaier and Shcherbina, 2004).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from math import gcd
from typing import Any

import numpy as np
import numpy.typing as npt

from kvtheory.model import LongArray

FloatArray = npt.NDArray[np.float64]
DENOMINATORS = (1, 2, 3, 4, 6, 12, 60, 2520, 1 << 20, 1 << 30)
SAFE = float(1 << 60)


@dataclass(frozen=True)
class Rows:
    """Constraints as triplets: entry e puts `value[e]` into row `row[e]`, column `column[e]`."""

    row: LongArray
    column: LongArray
    value: LongArray
    rhs: LongArray
    equal: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, rows: Sequence[tuple[Sequence[int], Sequence[int], int]], *, equal: bool = False) -> Rows:
        """From (columns, coefficients, right-hand side) per row."""
        return cls(
            np.array([i for i, (columns, _, _) in enumerate(rows) for _ in columns], dtype=np.int64),
            np.array([c for columns, _, _ in rows for c in columns], dtype=np.int64),
            np.array([x for _, values, _ in rows for x in values], dtype=np.int64),
            np.array([rhs for _, _, rhs in rows], dtype=np.int64),
            np.full(len(rows), equal, dtype=np.bool_),
        )

    def __len__(self) -> int:
        return int(self.rhs.size)

    def __add__(self, other: Rows) -> Rows:
        """These rows, then the others."""
        return Rows(
            np.concatenate([self.row, other.row + len(self)]),
            np.concatenate([self.column, other.column]),
            np.concatenate([self.value, other.value]),
            np.concatenate([self.rhs, other.rhs]),
            np.concatenate([self.equal, other.equal]),
        )

    def only(self, needed: npt.NDArray[np.bool_]) -> Rows:
        """The rows that are needed, renumbered."""
        number = np.cumsum(needed) - 1
        entries = needed[self.row]
        return Rows(
            number[self.row[entries]],
            self.column[entries],
            self.value[entries],
            self.rhs[needed],
            self.equal[needed],
        )


@dataclass(frozen=True)
class IntegerProgram:
    """Minimise `offset + cost . x`, x whole, `0 <= x <= bound`, subject to rows.

    Attributes:
        cost: int64, shape (columns,).
        bound: int64, shape (columns,): upper bounds.
        rows: the constraints.
        offset: a constant.
        whole: bool, shape (columns,): columns to branch on; the others are whole at some optimum anyway.
    """

    cost: LongArray
    bound: LongArray
    rows: Rows
    offset: int = 0
    whole: npt.NDArray[np.bool_] = field(default=None)  # type: ignore[arg-type]

    def __post_init__(self) -> None:
        if self.whole is None:
            object.__setattr__(self, "whole", np.ones(self.cost.size, dtype=np.bool_))

    def adding(self, rows: Rows) -> IntegerProgram:
        """The same program with more rows."""
        return replace(self, rows=self.rows + rows)

    @cached_property
    def step(self) -> int:
        """Every value is `offset` plus a multiple of this (1 if there are no costs)."""
        return gcd(*(int(c) for c in np.unique(self.cost))) or 1

    def round_up(self, bound: Fraction) -> int:
        """The least value a whole point can have that is not below a bound."""
        steps = (bound - self.offset) / self.step
        return self.offset + self.step * -(-steps.numerator // steps.denominator)

    def value(self, x: LongArray) -> int:
        """Objective of a whole point."""
        return self.offset + int(sum(int(c) * int(v) for c, v in zip(self.cost, x, strict=True) if v))

    def feasible(self, x: LongArray) -> bool:
        """Whether a whole point satisfies every row and bound, in integers."""
        total = np.zeros(len(self.rows), dtype=np.int64)
        np.add.at(total, self.rows.row, self.rows.value * x[self.rows.column])
        met = np.where(self.rows.equal, total == self.rows.rhs, total <= self.rows.rhs)
        return bool(met.all() and (x >= 0).all() and (x <= self.bound).all())

    def exact_bound(
        self,
        dual: FloatArray,
        low: LongArray | None = None,
        high: LongArray | None = None,
        *,
        denominators: Sequence[int] = DENOMINATORS,
        ray: bool = False,
    ) -> Fraction:
        """The best lower bound that the solver's dual, rounded to each denominator, proves in integers.

        Args:
            dual: multiplier of each row, in floats; signs that would not be valid are set to 0.
            low: lower bounds of the columns, where a branch raised them; default 0.
            high: upper bounds; default `bound`.
            denominators: denominators to round to, the best result is taken.
            ray: leave out the objective: a positive result proves that no point exists.
        """
        low = np.zeros_like(self.bound) if low is None else low
        high = self.bound if high is None else high
        best: Fraction | None = None
        for denominator in denominators:
            found = self._dual_value(np.nan_to_num(dual), low, high, denominator, ray)
            best = found if best is None or found > best else best
        if best is None:
            raise ValueError("no denominator")
        return best

    def _dual_value(
        self, dual: FloatArray, low: LongArray, high: LongArray, denominator: int, ray: bool
    ) -> Fraction:
        y, rest = self.reduced_costs(dual, denominator, ray=ray)
        kind = rest.dtype
        least = np.where(rest > 0, rest * low.astype(kind), rest * high.astype(kind))
        total = int((y * self.rows.rhs.astype(kind)).sum()) + int(least.sum())
        return Fraction(total, denominator) + (0 if ray else self.offset)

    def reduced_costs(self, dual: FloatArray, denominator: int, *, ray: bool = False) -> tuple[Any, Any]:
        """The rounded dual and the reduced costs, times `denominator`: int64, or Python ints if too large."""
        rows = self.rows
        if not len(rows):
            dual = np.zeros(0)
        y = np.rint(dual * denominator)
        y[(y > 0) & ~rows.equal] = 0
        most = np.abs(self.cost).astype(np.float64) * denominator
        np.add.at(most, rows.column, np.abs(rows.value * y[rows.row]))
        heaviest = float((most * self.bound).sum() + np.abs(y * rows.rhs).sum())
        exact: Any = np.int64 if heaviest < SAFE else object
        whole = y.astype(np.int64) if exact is np.int64 else np.array([int(v) for v in y], dtype=object)
        rest = self.cost.astype(exact) * (0 if ray else denominator)
        np.subtract.at(rest, rows.column, rows.value.astype(exact) * whole[rows.row])
        return whole, rest
