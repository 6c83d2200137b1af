"""A randomised algorithm as one distribution per work function, and its exact ratio.

Any rational distributions are an algorithm: a request moves it from one distribution to the next along a
cheapest coupling. Its ratio is the largest cycle of expected loads over increases of OPT, in integers; so
distributions rounded from a solver's floats still have an exact, proved ratio.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import Any

import numpy as np

from kvtheory.model import IntArray
from kvtheory.ratio.cycle import maximum_cycle_ratio
from kvtheory.ratio.minimax_lp import Hint
from kvtheory.ratio.minimax_orbits import Orbits
from kvtheory.ratio.rational_lp import Coupling, cheapest_coupling, round_distribution

DENOMINATORS = (12, 120, 2520, 10_000, 1_000_000)
FORCED = 1_000_000
MOST_ROWS = 2000
INT64_SAFE = 1 << 40
CLOSE = 1e-9


@dataclass(frozen=True, eq=False)
class Algorithm:
    """Distributions over cache states, one per work function, with the proof of their ratio.

    Attributes:
        orbits: work functions by orbit.
        ratio: the exact competitive ratio.
        by_representative: distribution of each representative, cache state index to probability.
        potential_of: potential of each representative; on every request expected loads minus ratio times the
            increase of OPT, plus the potential after, is at most the potential before.
    """

    orbits: Orbits
    ratio: Fraction
    by_representative: dict[int, dict[int, Fraction]]
    potential_of: dict[int, Fraction]

    def distribution(self, q: int) -> dict[int, Fraction]:
        """The distribution of work function q: cache state index to probability, ascending."""
        return carried(self.orbits, self.by_representative, q)

    def potential(self, q: int) -> Fraction:
        """The potential of work function q."""
        return self.potential_of[int(self.orbits.representative[q])]

    def coupling(self, q: int, r: int) -> tuple[Fraction, Coupling]:
        """Expected loads of request r at work function q, and the moves: (before, after) to probability."""
        after = self.distribution(int(self.orbits.works.next[q, r]))
        return cheapest_coupling(self.distribution(q), after, _loads(self.orbits))


def best_rounding(
    orbits: Orbits, allowed: list[IntArray], hint: Hint, target: Fraction | None = None
) -> Algorithm:
    """Round the program's distributions to fractions of growing denominators; the best exact ratio wins.

    Args:
        orbits: work functions by orbit.
        allowed: the cache states that the program used.
        hint: its optimum.
        target: a proved lower bound; reached, the search stops.
    """
    best: Algorithm | None = None
    for shares in _candidates(hint):
        found = evaluate(orbits, _by_state(orbits, allowed, shares))
        if best is None or found.ratio < best.ratio:
            best = found
        readable = best.ratio.denominator < DENOMINATORS[-1]
        if best.ratio == target or (readable and abs(float(best.ratio) - hint.rho) < CLOSE):
            break
    if best is None:
        raise ValueError("the program returned no distribution")
    return best


def _candidates(hint: Hint) -> Iterator[dict[int, dict[int, Fraction]]]:
    """The program's distributions, from short fractions to the vertex itself, then rounded by force."""
    for denominator in DENOMINATORS:
        rounded = _rounded(hint, denominator)
        if rounded is not None:
            yield rounded
    vertex = hint.exact() if hint.rows <= MOST_ROWS else None
    if vertex is not None:
        yield vertex
    forced = _rounded(hint, FORCED, repair=True)
    if forced is not None:
        yield forced


def _rounded(hint: Hint, denominator: int, *, repair: bool = False) -> dict[int, dict[int, Fraction]] | None:
    found = {}
    for q, shares in hint.probability.items():
        counts = list(hint.members[q].values())
        values = round_distribution(list(shares.values()), counts, denominator, repair=repair)
        if values is None:
            return None
        found[q] = dict(zip(shares, values, strict=True))
    return found


def _by_state(
    orbits: Orbits, allowed: list[IntArray], shares: dict[int, dict[int, Fraction]]
) -> dict[int, dict[int, Fraction]]:
    """Distributions over cache states, from the probability of each class's members."""
    found = {}
    for q, by_class in shares.items():
        states = {i: by_class[int(orbits.set_class[q][i])] for i in allowed[q].tolist()}
        found[q] = {i: x for i, x in states.items() if x}
    return found


def evaluate(orbits: Orbits, distributions: dict[int, dict[int, Fraction]]) -> Algorithm:
    """The exact ratio of distributions given for each representative, constant on its stabiliser's orbits."""
    number = {q: n for n, q in enumerate(orbits.representatives)}
    loads = _loads(orbits)
    rows: list[list[tuple[int, Fraction, int]]] = [[] for _ in number]
    for e in orbits.edges():
        after = carried(orbits, distributions, e.target)
        cost, _ = cheapest_coupling(distributions[e.source], after, loads)
        rows[number[e.source]].append((number[int(orbits.representative[e.target])], cost, e.increase))
    scale = lcm(*(cost.denominator for row in rows for _, cost, _ in row))
    width = max((len(row) for row in rows), default=0)
    kind: Any = np.int64 if scale < INT64_SAFE else object
    target = np.full((len(rows), max(width, 1)), -1, dtype=np.int32)
    alg, opt = np.zeros(target.shape, dtype=kind), np.zeros(target.shape, dtype=kind)
    for n, row in enumerate(rows):
        for m, (to, cost, increase) in enumerate(row):
            target[n, m], alg[n, m], opt[n, m] = to, int(cost * scale), increase * scale
    found = maximum_cycle_ratio(target, alg, opt, Fraction(1))
    if found.ratio is None:
        raise ValueError("an algorithm that pays while OPT does not")
    unit = scale * found.ratio.denominator
    potential = {q: Fraction(int(found.potential[n]), unit) for q, n in number.items()}
    return Algorithm(orbits, found.ratio, distributions, potential)


def carried(orbits: Orbits, distributions: dict[int, dict[int, Fraction]], q: int) -> dict[int, Fraction]:
    """The distribution of a work function, from its representative's."""
    home, to = int(orbits.representative[q]), orbits.carry[q]
    return dict(sorted((int(to[i]), x) for i, x in distributions[home].items()))


def _loads(orbits: Orbits) -> Any:
    closed = orbits.works.instance.closed.tolist()

    def loads(i: int, j: int) -> int:
        return int(closed[j] & ~closed[i]).bit_count()

    return loads
