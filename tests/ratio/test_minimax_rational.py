"""Couplings, sparse systems and roundings in Fractions, against scipy and by hand."""

from fractions import Fraction

import numpy as np
import pytest
from scipy.optimize import linprog

from kvtheory.ratio.rational_lp import cheapest_coupling, round_distribution, solve_sparse


def distribution(rng, size):
    weight = rng.integers(0, 5, size)
    weight[rng.integers(size)] += 1
    return {i: Fraction(int(x), int(weight.sum())) for i, x in enumerate(weight) if x}


@pytest.mark.parametrize("seed", range(20))
def test_couplings_cost_what_scipy_finds(seed):
    rng = np.random.default_rng(seed)
    sets = rng.permutation(32)[:7].tolist()
    source, sink = distribution(rng, 7), distribution(rng, 7)

    def cost(i, j):
        return (sets[i] ^ sets[j]).bit_count()

    total, moves = cheapest_coupling(source, sink, cost)
    assert total == sum(x * cost(i, j) for (i, j), x in moves.items())
    for side, marginal in ((0, source), (1, sink)):
        for i in range(7):
            assert sum(x for pair, x in moves.items() if pair[side] == i) == marginal.get(i, 0)
    rows = [[int(e // 7 == i) for e in range(49)] for i in range(7)]
    rows += [[int(e % 7 == j) for e in range(49)] for j in range(7)]
    right = [float(source.get(i, 0)) for i in range(7)] + [float(sink.get(j, 0)) for j in range(7)]
    best = linprog([cost(e // 7, e % 7) for e in range(49)], A_eq=rows, b_eq=right)
    assert abs(float(total) - best.fun) < 1e-9


@pytest.mark.parametrize("seed", range(5))
def test_sparse_systems(seed):
    rng = np.random.default_rng(seed)
    matrix = rng.integers(-3, 4, (9, 9)) * (rng.random((9, 9)) < 0.4) + np.diag(rng.integers(9, 12, 9))
    solution = [Fraction(int(a), int(b)) for a, b in rng.integers(1, 9, (9, 2))]
    rows = [{c: int(a) for c, a in enumerate(row) if a} for row in matrix]
    right = [sum(a * solution[c] for c, a in row.items()) for row in rows]
    found = solve_sparse(rows, right)
    assert [found[c] for c in range(9)] == solution
    assert solve_sparse([*rows, rows[0]], [*right, right[0]]) == found
    with pytest.raises(ValueError, match="inconsistent"):
        solve_sparse([*rows, rows[0]], [*right, right[0] + 1])
    with pytest.raises(ValueError, match="undetermined"):
        solve_sparse([{0: 1, 1: 1}], [1])


def test_rounded_distributions():
    third = Fraction(1, 3)
    assert round_distribution([0.33333333], [3], 12) == [third]
    assert round_distribution([0.26, 0.48], [2, 1], 3) is None
    repaired = round_distribution([0.26, 0.48], [2, 1], 3, repair=True)
    assert 2 * repaired[0] + repaired[1] == 1
