"""Linear programming in Fractions: cheapest couplings, sparse linear systems, rounded distributions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from heapq import heapify, heappop, heappush
from itertools import pairwise
from math import gcd, lcm

Distribution = Mapping[int, Fraction]
Coupling = dict[tuple[int, int], Fraction]


def cheapest_coupling(
    source: Distribution, sink: Distribution, cost: Callable[[int, int], int]
) -> tuple[Fraction, Coupling]:
    """A coupling of two distributions of least expected cost, by successive shortest paths in integers.

    Mass that both have stays where it is: with a cost that obeys the triangle inequality nothing is lost.

    Args:
        source: probability of each state before.
        sink: probability of each state after.
        cost: of moving from one state to another; 0 from a state to itself.
    """
    scale = lcm(*(x.denominator for x in (*source.values(), *sink.values())))
    supply = {i: int(x * scale) for i, x in source.items() if x}
    demand = {j: int(x * scale) for j, x in sink.items() if x}
    stays = {i: min(x, demand[i]) for i, x in supply.items() if i in demand}
    flow = {(i, i): x for i, x in stays.items()}
    supply = {i: x - stays.get(i, 0) for i, x in supply.items() if x > stays.get(i, 0)}
    demand = {j: x - stays.get(j, 0) for j, x in demand.items() if x > stays.get(j, 0)}
    price = {(i, j): cost(i, j) for i in supply for j in demand}
    moved = dict.fromkeys(price, 0)
    left, wanted = dict(supply), dict(demand)
    while any(left.values()):
        path = _shortest_path(left, wanted, price, moved)
        amount = min(left[path[0]], wanted[path[-1]])
        steps = list(pairwise(path))
        amount = min([amount, *(moved[j, i] for n, (i, j) in enumerate(steps) if n % 2)])
        for n, (i, j) in enumerate(steps):
            if n % 2:
                moved[j, i] -= amount
            else:
                moved[i, j] += amount
        left[path[0]] -= amount
        wanted[path[-1]] -= amount
    for pair, x in moved.items():
        if x:
            flow[pair] = flow.get(pair, 0) + x
    total = sum(x * cost(i, j) for (i, j), x in flow.items())
    return Fraction(total, scale), {pair: Fraction(x, scale) for pair, x in flow.items()}


def _shortest_path(
    left: dict[int, int],
    wanted: dict[int, int],
    price: dict[tuple[int, int], int],
    moved: dict[tuple[int, int], int],
) -> list[int]:
    """Source, sink, source, ..., sink: a cheapest augmenting path (Bellman and Ford)."""
    at_source: dict[int, int] = {i: 0 for i, x in left.items() if x}
    at_sink: dict[int, int] = {}
    before_sink: dict[int, int] = {}
    before_source: dict[int, int] = {}
    changed = True
    while changed:
        changed = False
        for (i, j), c in price.items():
            if i in at_source and at_source[i] + c < at_sink.get(j, 1 << 60):
                at_sink[j], before_sink[j] = at_source[i] + c, i
                changed = True
        for (i, j), x in moved.items():
            if x and j in at_sink and at_sink[j] - price[i, j] < at_source.get(i, 1 << 60):
                at_source[i], before_source[i] = at_sink[j] - price[i, j], j
                changed = True
    path = [min((j for j in at_sink if wanted[j]), key=lambda j: (at_sink[j], j))]
    while True:
        i = before_sink[path[0]]
        path.insert(0, i)
        if i not in before_source:
            return path
        path.insert(0, before_source[i])


def solve_sparse(
    rows: Sequence[Mapping[int, int | Fraction]], right: Sequence[int | Fraction]
) -> dict[int, Fraction]:
    """Solve a linear system of full column rank by sparse elimination; columns are any integers.

    Args:
        rows: coefficients by column.
        right: right-hand sides.

    Raises:
        ValueError: if the system is inconsistent or leaves a column undetermined.
    """
    pending = [_integral(row, b) for row, b in zip(rows, right, strict=True)]
    used_by: dict[int, set[int]] = {}
    for n, (row, _) in enumerate(pending):
        for c in row:
            used_by.setdefault(c, set()).add(n)
    columns = set(used_by)
    pivots: list[tuple[int, dict[int, int], int]] = []
    open_rows = {n for n, (row, _) in enumerate(pending) if row}
    shortest = [(len(pending[n][0]), n) for n in open_rows]
    heapify(shortest)
    while shortest:
        length, n = heappop(shortest)
        if n not in open_rows or length != len(pending[n][0]):
            continue
        row, b = pending[n]
        c = min(row, key=lambda col: (len(used_by[col]), col))
        open_rows.discard(n)
        for col in row:
            used_by[col].discard(n)
        for m in list(used_by[c]):
            other, other_b = pending[m]
            f, g = row[c], other[c]
            merged = {col: f * x for col, x in other.items()}
            for col, x in row.items():
                merged[col] = merged.get(col, 0) - g * x
            for col in list(merged):
                if merged[col]:
                    used_by[col].add(m)
                else:
                    used_by[col].discard(m)
                    del merged[col]
            pending[m] = _reduced(merged, f * other_b - g * b)
            heappush(shortest, (len(merged), m))
            if not merged:
                open_rows.discard(m)
                if pending[m][1]:
                    raise ValueError("inconsistent")
        pivots.append((c, row, b))
    if len(pivots) < len(columns):
        raise ValueError("undetermined")
    value: dict[int, Fraction] = {}
    for c, row, b in reversed(pivots):
        rest = b - sum((x * value[col] for col, x in row.items() if col != c), Fraction(0))
        value[c] = rest / row[c]
    return value


def _integral(row: Mapping[int, int | Fraction], right: int | Fraction) -> tuple[dict[int, int], int]:
    scale = lcm(*(Fraction(x).denominator for x in (*row.values(), right)))
    if not any(row.values()) and right:
        raise ValueError("inconsistent")
    return _reduced({c: int(x * scale) for c, x in row.items() if x}, int(right * scale))


def _reduced(row: dict[int, int], right: int) -> tuple[dict[int, int], int]:
    common = gcd(right, *row.values()) or 1
    return {c: x // common for c, x in row.items()}, right // common


def round_distribution(
    value: Sequence[float], multiplicity: Sequence[int], denominator: int, *, repair: bool = False
) -> list[Fraction] | None:
    """Fractions of at most this denominator near a distribution; None if they do not sum to 1.

    Args:
        value: probability of each class's members.
        multiplicity: members of each class.
        denominator: the largest one allowed.
        repair: give what is missing to the heaviest class instead of returning None.
    """
    rounded = [max(Fraction(0), Fraction(x).limit_denominator(denominator)) for x in value]
    missing = 1 - sum((x * m for x, m in zip(rounded, multiplicity, strict=True)), Fraction(0))
    if missing:
        if not repair:
            return None
        heaviest = max(range(len(rounded)), key=lambda c: rounded[c] * multiplicity[c])
        rounded[heaviest] += missing / multiplicity[heaviest]
        if rounded[heaviest] < 0:
            return None
    return rounded
