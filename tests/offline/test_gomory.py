"""Rounding cuts hold at every whole point of their rows, and cut fractional ones away."""

from __future__ import annotations

from itertools import product
from types import SimpleNamespace
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from kvtheory.offline import gomory


def test_a_cut_holds_at_every_whole_point() -> None:
    rng = np.random.default_rng(1)
    made = tight = 0
    for _ in range(400):
        size, count = rng.integers(2, 5), rng.integers(1, 4)
        dense, high = rng.integers(-3, 6, (count, size)), rng.integers(1, 4, size)
        rows: Any = SimpleNamespace(rhs=rng.integers(0, 12, count), equal=np.zeros(count, np.bool_))
        u, denominator = rng.integers(0, 7, count), int(rng.integers(2, 8))
        flipped = rng.integers(0, 2, size).astype(np.bool_)
        cut = gomory._cut(csr_matrix(dense), rows, high, flipped, u, denominator)
        if cut is None:
            continue
        made += 1
        coefficients, rhs = cut
        points = (np.array(x) for x in product(*(range(top + 1) for top in high)))
        reached = [int(coefficients @ x) for x in points if (dense @ x <= rows.rhs).all()]
        assert max(reached, default=rhs) <= rhs
        tight += max(reached, default=rhs - 1) == rhs
    assert made > 200
    assert tight > 50
