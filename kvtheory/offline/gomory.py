"""Gomory cuts whose validity is exact: HiGHS's multipliers, rounded to small fractions, combined in integers.

For any multipliers u, every whole point satisfies sum_j (uA)_j x_j + sum_i u_i s_i = u . b with whole slacks
s >= 0, and therefore sum_j G((uA)_j) x_j + sum_i G(u_i) s_i <= floor(u . b), with f = frac(u . b) and
G(a) = floor(a) + max(0, frac(a) - f) / (1 - f) (Gomory 1960). Columns nearer to their upper bound are
complemented first. Whatever the floats were, the row is valid; they only decide whether it cuts. Two sources
of multipliers: rows of the basis inverse, and halves of tight rows whose sum is even on every fractional
column and odd on the right (zero-half cuts, Caprara and Fischetti 1996), found by elimination over two
elements.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from kvtheory.model import LongArray
from kvtheory.offline.program import FloatArray, Rows
from kvtheory.offline.relaxation import Relaxation

LARGEST_DENOMINATOR = 120
CLOSE = 1e-7
TRIED = 400
ADDED = 150

_Cut = tuple[float, LongArray, LongArray, int]


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
    found: list[_Cut] = []
    for position in chosen[fraction[chosen] > 0.02].tolist():
        _, inverse = solver.getBasisInverseRow(position)
        small = _small_fraction(np.asarray(inverse))
        if small is not None:
            for sign in (1, -1):
                found += _deep_cut(matrix, rows, x, high, flipped, sign * small[0], small[1])
    return _deepest(found)


def zero_half_rows(relaxation: Relaxation, x: FloatArray, high: LongArray) -> Rows:
    """Zero-half cuts violated by x, the deepest first; arguments as :func:`gomory_rows`."""
    from scipy.sparse import csr_array

    rows = relaxation.program.rows
    matrix = csr_array((rows.value, (rows.row, rows.column)), shape=(len(rows), x.size))
    flipped = (2 * x > high) & (high > 0)
    distance = np.where(flipped, high - x, x)
    loose = np.flatnonzero(distance > CLOSE)
    slack = rows.rhs - matrix @ x
    tight = np.flatnonzero(slack < 0.2)
    lengths = np.diff(matrix.indptr)[tight]
    tight = tight[np.argsort(100 * slack[tight] + lengths / 1000, kind="stable")]
    if not tight.size or not loose.size:
        return Rows.of([])
    odd = (matrix[tight][:, loose].toarray() & 1).astype(np.bool_)
    right = ((rows.rhs[tight] - matrix[tight] @ np.where(flipped, high, 0)) & 1).astype(np.bool_)
    bits = np.packbits(np.column_stack([odd, right, np.eye(tight.size, dtype=np.bool_)]), axis=1)
    spare = np.ones(tight.size, dtype=np.bool_)
    for j in np.argsort(-distance[loose], kind="stable").tolist():
        having = np.flatnonzero((bits[:, j >> 3] >> (7 - (j & 7)) & 1).astype(np.bool_) & spare)
        if having.size:
            spare[having[0]] = False
            bits[having[1:]] ^= bits[having[0]]
    sums = np.unpackbits(bits[spare], axis=1)[:, loose.size : loose.size + 1 + tight.size]
    found: list[_Cut] = []
    for line in sums[sums[:, 0] == 1]:
        u = np.zeros(len(rows), dtype=np.int64)
        u[tight[np.flatnonzero(line[1:])]] = 1
        found += _deep_cut(matrix, rows, x, high, flipped, u, 2)
    return _deepest(found)


def _deepest(found: list[_Cut]) -> Rows:
    found.sort(key=lambda cut: -cut[0])
    return Rows.of([(support.tolist(), weights.tolist(), rhs) for _, support, weights, rhs in found[:ADDED]])


def _deep_cut(
    matrix: Any,
    rows: Rows,
    x: FloatArray,
    high: LongArray,
    flipped: npt.NDArray[np.bool_],
    u: LongArray,
    denominator: int,
) -> list[_Cut]:
    """The cut of multipliers u / denominator, if it is violated and not too dense."""
    cut = _cut(matrix, rows, high, flipped, u, denominator)
    if cut is None:
        return []
    coefficients, rhs = cut
    support = np.flatnonzero(coefficients)
    if not 0 < support.size <= max(50, coefficients.size // 3):
        return []
    weights = coefficients[support]
    length = float(np.sqrt((weights.astype(np.float64) ** 2).sum()))
    depth = (float(weights @ x[support]) - rhs) / length
    return [(depth, support, weights, rhs)] if depth > 1e-3 else []


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
    matrix: Any,
    rows: Rows,
    high: LongArray,
    flipped: npt.NDArray[np.bool_],
    u: LongArray,
    denominator: int,
) -> tuple[LongArray, int] | None:
    """The cut of multipliers u / denominator, scaled to integers: coefficients and right-hand side."""
    a = matrix.T @ u
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
    coefficients = coefficients - matrix.T @ slack
    rhs -= int(slack @ rows.rhs)
    divisor = int(np.gcd.reduce(coefficients))
    if divisor > 1:
        coefficients = coefficients // divisor
        rhs //= divisor
    return coefficients, rhs
