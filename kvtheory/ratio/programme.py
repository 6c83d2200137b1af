"""Potentials of a finite game with chance: found by a linear program in floats, made exact in Fractions."""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from typing import Any

import numpy as np

from kvtheory.ratio.work_function import WorkFunctions

Mixture = list[tuple[int, Fraction]]
Expression = tuple[Fraction, dict[int, Fraction]]
SWEEPS, MOST_PAIRS = 400, 2500
FINE = 1 << 24
TIGHT = 1e-7


class Programme:
    """The inequalities of a cover: one row for each pair (anchor, work function) and request.

    Args:
        cost: expected misses, by anchor and request.
        mixture: anchors and shares of what a request leads to, by anchor and request.
        works: OPT's work functions.

    Attributes:
        pairs: reachable pairs, breadth first from the first anchor and the empty cache, requests ascending,
            mixtures in their order.
        rows: (pair, cost, increase of OPT, pairs and shares after the request).
        too_large: the pairs are too many for a proof in seconds, and were not all listed.
    """

    def __init__(
        self, cost: list[list[Fraction]], mixture: list[list[Mixture]], works: WorkFunctions
    ) -> None:
        self.pairs = [(0, 0)]
        number = {(0, 0): 0}
        self.rows: list[tuple[int, Fraction, int, Mixture]] = []
        self.too_large = False
        for at, (i, w) in enumerate(self.pairs):  # grows while it is walked
            if len(self.pairs) > MOST_PAIRS:
                self.too_large = True
                return
            for r, mixed in enumerate(mixture[i]):
                after: Mixture = []
                for j, share in mixed:
                    pair = j, int(works.next[w, r])
                    if pair not in number:
                        number[pair] = len(self.pairs)
                        self.pairs.append(pair)
                    after.append((number[pair], share))
                self.rows.append((at, cost[i][r], int(works.increase[w, r]), after))

    def solve(self, ratio: Fraction | None = None) -> tuple[float, Any] | None:
        """Least ratio, or least potentials for a given one, in floats."""
        from scipy.optimize import linprog
        from scipy.sparse import csr_array

        size = len(self.pairs)
        entries: dict[tuple[int, int], float] = {}
        bound = np.empty(len(self.rows))
        for e, (at, cost, increase, after) in enumerate(self.rows):
            for to, share in after:
                entries[e, to] = entries.get((e, to), 0.0) + float(share)
            entries[e, at] = entries.get((e, at), 0.0) - 1.0
            bound[e] = -float(cost)
            if ratio is None:
                entries[e, size] = -float(increase)
            else:
                bound[e] += float(ratio) * increase
        where = np.array(list(entries), dtype=np.int64).T
        columns = size + 1 if ratio is None else size
        matrix: Any = csr_array(
            (list(entries.values()), (where[0], where[1])), shape=(len(self.rows), columns)
        )
        goal: Any = np.ones(columns) if ratio is not None else np.eye(1, columns, size)[0]
        found: Any = linprog(goal, A_ub=matrix, b_ub=bound, bounds=(0, None), method="highs")
        return None if found.status else (float(found.fun), found.x[:size])

    def holds(self, ratio: Fraction, potential: list[Fraction]) -> bool:
        """Whether potentials prove a ratio."""
        return min(potential) >= 0 and all(
            cost - ratio * increase + sum(share * potential[to] for to, share in after) <= potential[at]
            for at, cost, increase, after in self.rows
        )

    def raised(self, ratio: Fraction, start: Any) -> list[Fraction] | None:
        """Potentials on a grid, raised from `start` until all inequalities hold; None if they keep rising."""
        value = [max(0, ceil(x * FINE)) for x in start]
        for _ in range(SWEEPS):
            changed = False
            for at, cost, increase, after in reversed(self.rows):
                needed = (cost - ratio * increase) * FINE + sum(share * value[to] for to, share in after)
                if needed > value[at]:
                    value[at], changed = ceil(needed), True
            if not changed:
                return [Fraction(x, FINE) for x in value]
        return None

    def exact(self, ratio: Fraction, near: Any) -> list[Fraction] | None:
        """Solve for the potentials whose tight rows floats have found; None where that fails.

        Every pair has potential 0 or a tight row, which expresses it by others: substitution, one pair after
        the other. A row that says no more than that the pair equals itself gives way to the next.
        """
        tight: list[list[int]] = [[] for _ in self.pairs]
        for e, (at, cost, increase, after) in enumerate(self.rows):
            value = float(cost) - float(ratio) * increase + sum(float(x) * near[to] for to, x in after)
            if near[at] > TIGHT and value > near[at] - TIGHT:
                tight[at].append(e)
        known: dict[int, Expression] = {}
        for at in range(len(self.pairs) - 1, -1, -1):
            choices = [self._expression(e, ratio, known) for e in tight[at]]
            solved = (_without(at, expression) for expression in choices)
            known[at] = next((x for x in solved if x is not None), (Fraction(0), {}))
            for other, expression in known.items():
                if other != at and at in expression[1]:
                    known[other] = _substitute(expression, {at: known[at]})
        if any(terms for _, terms in known.values()):
            return None
        return [known[at][0] for at in range(len(self.pairs))]

    def _expression(self, e: int, ratio: Fraction, known: dict[int, Expression]) -> Expression:
        _, cost, increase, after = self.rows[e]
        terms: dict[int, Fraction] = {}
        for to, share in after:
            terms[to] = terms.get(to, Fraction(0)) + share
        return _substitute((cost - ratio * increase, terms), known)


def _substitute(expression: Expression, known: dict[int, Expression]) -> Expression:
    constant, terms = expression
    after: dict[int, Fraction] = {}
    for to, share in terms.items():
        if to in known:
            more, inner = known[to]
            constant += share * more
            for deeper, part in inner.items():
                after[deeper] = after.get(deeper, Fraction(0)) + share * part
        else:
            after[to] = after.get(to, Fraction(0)) + share
    return constant, {to: share for to, share in after.items() if share}


def _without(at: int, expression: Expression) -> Expression | None:
    """Solve an expression of a pair for the pair; None if it says nothing."""
    constant, terms = expression
    rest = 1 - terms.get(at, Fraction(0))
    if rest == 0:
        return None
    return constant / rest, {to: share / rest for to, share in terms.items() if to != at}
