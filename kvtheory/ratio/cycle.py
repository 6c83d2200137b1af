"""The maximum ratio of a cycle: sum of one integer weight over sum of another, decided in integers.

For a ratio p/q every edge weighs `q * alg - p * opt`. A cycle of positive weight has a larger ratio, which is
tried next; with none left, the longest walks from each state are finite, and they are potentials that prove
the ratio: `q * alg - p * opt + potential[target] <= potential[source]` on every edge (Dinkelbach 1967, with
the cycle detection of Cherkassky and Goldberg 1999).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from kvtheory._numba import njit
from kvtheory.model import IntArray, LongArray

SAFE = 1 << 61


@dataclass(frozen=True, eq=False)
class CycleRatio:
    """The largest ratio of a cycle and the proof that none is larger.

    Attributes:
        ratio: None if it is infinite; 0 where every cycle has alg 0.
        cycle: (state, request) pairs in order; empty where every cycle has alg 0.
        potential: int, shape (N,), in units of 1 / (denominator of the ratio): least nonnegative; None if the
            ratio is infinite.
    """

    ratio: Fraction | None
    cycle: list[tuple[int, int]]
    potential: Any


def maximum_cycle_ratio(target: IntArray, alg: Any, opt: Any, least: Fraction = Fraction(0)) -> CycleRatio:
    """The largest sum(alg) / sum(opt) over the cycles of a graph.

    Args:
        target: int32, shape (N, R): where each edge leads, -1 for no edge.
        alg: nonnegative integers, shape (N, R); int64, or Python integers in an object array.
        opt: the same.
        least: a ratio that the result is not below; 1 where it is a competitive ratio.
    """
    ratio, best = least, list[tuple[int, int]]()
    while True:
        p, q = ratio.numerator, ratio.denominator
        weight = q * alg - p * opt if _fits(alg, opt, p, q) else _exactly(alg, q) - _exactly(opt, p)
        run: Any = _longest_walks
        if weight.dtype != np.int64:
            run = getattr(run, "py_func", run)  # numba knows no large integers
        potential = np.zeros(len(target), dtype=weight.dtype)
        choice = np.full(len(target), -1, dtype=np.int32)
        on_cycle = run(target, weight, potential, choice)
        if on_cycle < 0:
            return CycleRatio(ratio, best, potential)
        best, ratio_found = _best_cycle(target, alg, opt, choice)
        if ratio_found is None:
            return CycleRatio(None, best, None)
        ratio = ratio_found


def _fits(alg: Any, opt: Any, p: int, q: int) -> bool:
    if alg.dtype != np.int64 or opt.dtype != np.int64:
        return False
    largest = q * int(alg.max(initial=0)) + p * int(opt.max(initial=0))
    return largest * (len(alg) + 1) < SAFE


def _exactly(values: Any, factor: int) -> Any:
    return values.astype(object) * factor


def _best_cycle(
    target: IntArray, alg: Any, opt: Any, choice: IntArray
) -> tuple[list[tuple[int, int]], Fraction | None]:
    """The cycle of largest ratio when every state follows its choice, and that ratio; None: infinite."""
    seen = np.zeros(len(target), dtype=np.int32)
    best: list[tuple[int, int]] = []
    best_ratio: Fraction | None = Fraction(-1)
    for state in _cycle_starts(target, choice, seen):
        cycle, at = [], state
        while True:
            r = int(choice[at])
            cycle.append((at, r))
            at = int(target[at, r])
            if at == state:
                break
        paid = sum(int(alg[s, r]) for s, r in cycle)
        owed = sum(int(opt[s, r]) for s, r in cycle)
        if owed == 0:
            return cycle, None
        if best_ratio is not None and Fraction(paid, owed) > best_ratio:
            best, best_ratio = cycle, Fraction(paid, owed)
    return best, best_ratio


def _cycle_starts(target: IntArray, choice: IntArray, seen: IntArray) -> list[int]:
    """One state on each cycle of the graph in which every state follows its choice."""
    found = []
    for start in range(len(target)):
        at = start
        while at >= 0 and seen[at] == 0:
            seen[at] = start + 1
            at = int(target[at, choice[at]]) if choice[at] >= 0 else -1
        if at >= 0 and seen[at] == start + 1:
            found.append(at)
    return found


@njit
def _longest_walks(target: IntArray, weight: LongArray, potential: LongArray, choice: IntArray) -> int:
    """Raise potentials to the longest walks; a state on a cycle of positive weight, or -1 for none."""
    states, requests = target.shape
    seen = np.zeros(states, np.int32)
    while True:
        changed = False
        for s in range(states - 1, -1, -1):
            for r in range(requests):
                t = target[s, r]
                if t >= 0 and weight[s, r] + potential[t] > potential[s]:
                    potential[s] = weight[s, r] + potential[t]
                    choice[s] = r
                    changed = True
        if not changed:
            return -1
        seen[:] = 0
        for start in range(states):
            at = start
            while at >= 0 and seen[at] == 0:
                seen[at] = start + 1
                at = target[at, choice[at]] if choice[at] >= 0 else -1
            if at >= 0 and seen[at] == start + 1:
                return at
