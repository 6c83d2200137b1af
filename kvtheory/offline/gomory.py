"""Gomory cuts whose validity is exact: HiGHS's multipliers, rounded to small fractions, combined in integers.

For any multipliers u, every whole point satisfies sum_j (uA)_j x_j + sum_i u_i s_i = u . b with whole
slacks s >= 0, and therefore sum_j G((uA)_j) x_j + sum_i G(u_i) s_i <= floor(u . b), with f = frac(u . b)
and G(a) = floor(a) + max(0, frac(a) - f) / (1 - f) (Gomory 1960). Columns nearer to their upper bound are
complemented first. Whatever the floats were, the row is valid; they only decide whether it cuts.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kvtheory.model import LongArray
from kvtheory.offline.program import FloatArray, Rows
from kvtheory.offline.relaxation import Relaxation

LARGEST_DENOMINATOR = 120
CLOSE = 1e-7
TRIED = 400
ADDED = 100


def gomory_rows(relaxation: Relaxation, x: FloatArray, high: LongArray) -> Rows:
    """Cuts violated by the relaxation's vertex x, the deepest first, none denser than a third of the columns.

    Args:
        relaxation: just solved, so that it has a basis.
        x: its point.
        high: upper bounds of the columns that hold everywhere in the search; lower bounds are 0.
    """
    from scipy.sparse import csr_array

    program, solver = relaxation.program, relaxation.solver
    rows, columns = program.rows, program.cost.size
    matrix = csr_array((rows.value, (rows.row, rows.column)), shape=(len(rows), columns))
    _, basic = solver.getBasicVariables()
    basic = np.asarray(basic)
    fraction = np.zeros(basic.size)
    structural = np.flatnonzero(basic >= 0)
    value = x[basic[structural]]
    fraction[structural] = np.abs(value - np.rint(value))
    chosen = np.argsort(-fraction, kind="stable")[:TRIED]
    flipped = (2 * x > high) & (high > 0)
    found: list[tuple[float, LongArray, LongArray, int]] = []
    for position in chosen[fraction[chosen] > 0.02].tolist():
        _, inverse = solver.getBasisInverseRow(position)
        small = _small_fraction(np.asarray(inverse))
        if small is None:
            continue
        for sign in (1, -1):
            cut = _cut(matrix, rows, high, flipped, sign * small[0], small[1])
            if cut is None:
                continue
            coefficients, rhs = cut
            support = np.flatnonzero(coefficients)
            if not support.size or support.size > max(50, columns // 3):
                continue
            weights = coefficients[support]
            depth = (float(weights @ x[support]) - rhs) / float(np.sqrt((weights.astype(float) ** 2).sum()))
            if depth > 1e-3:
                found.append((depth, support, weights, rhs))
    found.sort(key=lambda cut: -cut[0])
    return Rows.of([(s.tolist(), w.tolist(), rhs) for _, s, w, rhs in found[:ADDED]])


def _small_fraction(u: FloatArray) -> tuple[LongArray, int] | None:
    """Numerators over one small denominator, if the multipliers are such fractions; reduced modulo 1."""
    used = u[np.abs(u) > CLOSE]
    for denominator in range(2, LARGEST_DENOMINATOR + 1):
        if (
            np.abs(used * denominator - np.rint(used * denominator)).max(initial=0.0)
            < CLOSE * denominator * 10
        ):
            return np.rint(u * denominator).astype(np.int64) % denominator, denominator
    return None


def _cut(
    matrix: object,
    rows: Rows,
    high: LongArray,
    flipped: npt.NDArray[np.bool_],
    u: LongArray,
    denominator: int,
) -> tuple[LongArray, int] | None:
    """The cut of multipliers u / denominator, scaled to integers: coefficients and right-hand side."""
    a = matrix.T @ u  # type: ignore[attr-defined]
    b = int(u @ rows.rhs) - int((a * high)[flipped].sum())
    a = np.where(flipped, -a, a)
    f = b % denominator
    if f == 0:
        return None
    scale = denominator - f

    def rounded(numerators: LongArray) -> LongArray:
        whole, rest = np.divmod(numerators, denominator)
        scaled: LongArray = whole * scale + np.maximum(0, rest - f)
        return scaled

    coefficients = rounded(a)
    slack = np.where(rows.equal, 0, rounded(u))
    rhs = (b // denominator) * scale
    coefficients = np.where(flipped, -coefficients, coefficients)
    rhs += int((coefficients * high)[flipped].sum())
    coefficients = coefficients - matrix.T @ slack  # type: ignore[attr-defined]
    rhs -= int(slack @ rows.rhs)
    divisor = int(np.gcd.reduce(coefficients))
    if divisor > 1:
        coefficients = coefficients // divisor
        rhs //= divisor
    return coefficients, rhs
