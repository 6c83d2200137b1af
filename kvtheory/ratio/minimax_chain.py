"""Adversaries from the dual of the randomised program: Markov chains of requests on OPT's work functions.

The dual says how often each request is made at each work function. That chain need not force the program's
value: its edges carry potentials of their own, so what follows a request may have to depend on how the work
function was reached. Remembering the last requests refines the work functions; the value stays, and the
dual's chain gets closer to the truth. Each chain is worth what its own potentials prove.
"""

from __future__ import annotations

from fractions import Fraction
from math import lcm
from typing import Any

import numpy as np

from kvtheory.errors import LimitError
from kvtheory.model import IntArray
from kvtheory.ratio.minimax_adversary import (
    COARSE,
    LONG,
    Adversary,
    expected_step,
    least_slack,
    offline_potentials,
)
from kvtheory.ratio.minimax_lp import Hint
from kvtheory.ratio.minimax_orbits import Orbits
from kvtheory.ratio.rational_lp import solve_sparse
from kvtheory.ratio.work_function import WorkFunctions

MOST_CHAIN = 200
MOST_REFINED = 400
DENOMINATORS = (60, 2520, 100_000)
SWEEPS = 4000
SETTLED = 1e-12
UNUSED = 1e-9


def remembering(works: WorkFunctions, requests: int) -> tuple[WorkFunctions, IntArray]:
    """Work functions split by the last few requests, and the work function of each part.

    Raises:
        LimitError: if there are more than 400 parts.
    """
    start: tuple[int, tuple[int, ...]] = (0, ())
    number = {start: 0}
    order = [start]
    rows = []
    for q, last in order:
        row = []
        for r in range(works.next.shape[1]):
            to = int(works.next[q, r]), (*last, r)[-requests:]
            if to not in number:
                number[to] = len(order)
                order.append(to)
            row.append(number[to])
        rows.append(row)
        if len(order) > MOST_REFINED:
            raise LimitError(f"more than {MOST_REFINED} work functions with a memory of {requests}")
    origin = np.array([q for q, _ in order], dtype=np.int32)
    split = WorkFunctions(
        works.instance, works.value[origin], np.array(rows, dtype=np.int32), works.increase[origin]
    )
    return split, origin


def from_dual(
    works: WorkFunctions, orbits: Orbits, hint: Hint, origin: IntArray | None = None
) -> Adversary | None:
    """The Markov chain on work functions that the program's dual describes; None if it is none of use.

    Whatever the dual is worth, the bound is proved: probabilities and potentials are rounded to fractions,
    and `gain` is what the rounded potentials prove.

    Args:
        works: OPT's automaton.
        orbits: the automaton that the program was built on: the same, or split by memory.
        hint: the program's optimum.
        origin: the work function of each state of that automaton, where it was split.
    """
    automaton, game = orbits.works, works.instance
    rates: dict[int, dict[int, float]] = {}
    for e, weight in zip(hint.edges, hint.weight, strict=True):
        if weight > UNUSED:
            classes = orbits.request_class[e.source]
            alike = np.flatnonzero(classes == classes[e.request]).tolist()
            rates.setdefault(e.source, {}).update(dict.fromkeys(alike, weight / len(alike)))
    best: Adversary | None = None
    tried: set[int] = set()
    for start in rates:
        if start in tried:
            continue
        order, number = [start], {start: 0}
        chance, after = [], []
        for q in order:
            home = int(orbits.representative[q])
            tried.add(home)
            if home not in rates or len(order) > MOST_CHAIN:
                break
            rounded = _probabilities(rates[home])
            ours = sorted((int(orbits.carry_request[q][r]), p) for r, p in rounded.items())
            chance.append({game.requestable[r]: p for r, p in ours})
            row = {}
            for r, _ in ours:
                to = int(automaton.next[q, r])
                if to not in number:
                    number[to] = len(order)
                    order.append(to)
                row[game.requestable[r]] = number[to]
            after.append(row)
        if len(chance) < len(order):
            continue
        begin = start if origin is None else int(origin[start])
        try:
            found = prove(works, _way_to(automaton, start), tuple(chance), tuple(after), (0, begin))
        except ValueError:  # the chain falls apart
            continue
        if best is None or found.ratio > best.ratio:
            best = found
    return best


def _way_to(works: WorkFunctions, goal: int) -> tuple[int, ...]:
    """Requests that lead from the empty cache to a work function, the fewest."""
    before: dict[int, tuple[int, int]] = {0: (-1, -1)}
    queue = [0]
    for q in queue:
        for r, to in enumerate(works.next[q].tolist()):
            if to not in before:
                before[to] = q, r
                queue.append(to)
    way: list[int] = []
    while goal:
        goal, r = before[goal]
        way.append(works.instance.requestable[r])
    return tuple(reversed(way))


def _probabilities(rates: dict[int, float]) -> dict[int, Fraction]:
    total = sum(rates.values())
    for denominator in (60, 1000):
        rounded = {r: Fraction(x / total).limit_denominator(denominator) for r, x in rates.items()}
        if sum(rounded.values()) == 1:
            break
    whole = sum(rounded.values())
    return {r: p / whole for r, p in rounded.items() if p}


def prove(
    works: WorkFunctions,
    prefix: tuple[int, ...],
    chance: tuple[dict[int, Fraction], ...],
    after: tuple[dict[int, int], ...],
    start: tuple[int, int],
) -> Adversary:
    """The best bound found that a chain of requests proves.

    Args:
        works: OPT's automaton.
        prefix: requests before the chain starts.
        chance: of each request, by chain state.
        after: where each request leads.
        start: the chain state and work function to which the prefix leads.
    """
    opt, offline = offline_potentials(works, chance, after, start)
    if opt <= 0:
        raise ValueError("the chain never costs OPT anything")
    value = _relative_values(works, chance, after)
    best: tuple[Fraction, tuple[tuple[Fraction, ...], ...]] | None = None
    stationary = _stationary(chance, after)
    for denominator in DENOMINATORS:
        scale = _common(value, denominator)
        rounded = np.array([[round(x * scale) for x in row] for row in value.tolist()], dtype=object)
        worst = least_slack(works, chance, after, rounded, scale)
        gain = sum((p * g for p, g in zip(stationary, worst, strict=True)), Fraction(0))
        if best is None or gain > best[0]:
            best = _levelled(works, chance, after, rounded, scale, worst, gain)
    if best is None:
        raise ValueError("no denominator")
    return Adversary(prefix, chance, after, best[0], opt, best[1], offline)


def _common(value: Any, denominator: int) -> int:
    """A common denominator of the values rounded to this precision, or the precision itself if it is huge."""
    scale = lcm(*{Fraction(x).limit_denominator(denominator).denominator for x in value.ravel().tolist()})
    return scale if scale < 1 << 50 else 1 << 40


def _relative_values(
    works: WorkFunctions, chance: tuple[dict[int, Fraction], ...], after: tuple[dict[int, int], ...]
) -> Any:
    """Relative values of the average-cost problem that the chain sets an online algorithm, in floats."""
    value = np.zeros((len(chance), len(works.instance.closed)))
    floats = tuple({v: float(p) for v, p in row.items()} for row in chance)
    for _ in range(SWEEPS):
        stepped = expected_step(works, floats, after, value, 1.0)
        change = stepped - value
        if change.max() - change.min() < SETTLED:
            break
        value = (value + stepped) / 2
        value -= value[0, -1]
    return value


def _stationary(chance: tuple[dict[int, Fraction], ...], after: tuple[dict[int, int], ...]) -> list[Fraction]:
    """How often the chain is in each state."""
    rows: list[dict[int, Fraction]] = [{a: Fraction(1)} for a in range(len(chance))]
    for a, row in enumerate(chance):
        for v, p in row.items():
            to = rows[after[a][v]]
            to[a] = to.get(a, Fraction(0)) - p
    rows.append({a: Fraction(1) for a in range(len(chance))})
    value = solve_sparse(rows, [Fraction(0)] * len(chance) + [Fraction(1)])
    return [value[a] for a in range(len(chance))]


def _levelled(
    works: WorkFunctions,
    chance: tuple[dict[int, Fraction], ...],
    after: tuple[dict[int, int], ...],
    value: Any,
    scale: int,
    slack: list[Fraction],
    gain: Fraction,
) -> tuple[Fraction, tuple[tuple[Fraction, ...], ...]]:
    """Shift each chain state's potentials so that all prove the average gain; unreadable ones are rounded."""
    rows: list[dict[int, Fraction]] = []
    for a, row in enumerate(chance):
        terms = {a: Fraction(1)}
        for v, p in row.items():
            terms[after[a][v]] = terms.get(after[a][v], Fraction(0)) - p
        rows.append(terms)
    rows.append({0: Fraction(1)})
    shift = solve_sparse(rows, [*(s - gain for s in slack), Fraction(0)])
    long = lcm(*(x.denominator for x in shift.values())) >= LONG
    unit = lcm(scale, COARSE) if long else lcm(scale, *(x.denominator for x in shift.values()))
    moved = value * (unit // scale)
    for a in range(len(chance)):
        moved[a] += round(shift[a] * unit)
    if long:
        gain = min(least_slack(works, chance, after, moved, unit))
    return gain, tuple(tuple(Fraction(x, unit) for x in row) for row in moved.tolist())
