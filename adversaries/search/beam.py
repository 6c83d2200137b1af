"""Beam search over (policy state, work function): paths that cost the policy much and OPT little.

Positions are extended by every request, and the best by `alg - rho * opt` stay, equal ones once. After a
request that raises OPT a path falls behind by rho and catches up later; so that it lives to do so, places are
dealt out work function by work function, the best of each first, then the second, and so on. Cycles are cut
out of the best paths, where the work function recurs; rho is the ratio of the best cycle so far
([Dinkelbach1967]_), and when it no longer rises the beam is made wider and longer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from adversaries.search.candidate import Hunt
from adversaries.search.score import Arena
from adversaries.search.walk import Positions
from kvtheory.model import IntArray, LongArray

WIDTH, ROUNDS_LONG = 64, 12
WIDEST, LONGEST = 4096, 400
ENDS, CUTS = 4, 6


@dataclass(eq=False)
class Step:
    """One step of all paths, for walking back: parent, request, misses, work function and hash of each."""

    parent: LongArray
    request: LongArray
    alg: Any
    opt: LongArray
    work: IntArray
    key: Any


def beam_search(hunt: Hunt, seed: int) -> None:
    """Spend the whole budget; ends with :class:`BudgetSpent`.

    Args:
        hunt: what is searched; its judge is an :class:`Arena`.
        seed: orders positions that are worth the same.
    """
    arena = hunt.judge
    assert isinstance(arena, Arena)
    salt = np.random.default_rng(seed)
    width, horizon, rho = WIDTH, ROUNDS_LONG * arena.requests, 1.0
    hunt.score((), (0,))
    while True:
        steps = _grow(hunt, arena, width, min(horizon, hunt.length), rho, salt)
        for path in _best_paths(steps, rho):
            hunt.score(path[0], path[0])
            for prefix, cycle in _cuts(*path):
                hunt.score(prefix, cycle)
        risen = _limit(hunt, horizon)
        if risen > rho + 1e-9:
            rho = risen
        else:
            width, horizon = min(2 * width, WIDEST), min(horizon * 3 // 2, LONGEST)


def _limit(hunt: Hunt, horizon: int) -> float:
    """The ratio of the best cycle, repeated for ever; of the best file, where a path is one."""
    assert hunt.best is not None
    if horizon >= hunt.length:
        return hunt.best.ratio
    hunt.charge(hunt.length)
    twice = hunt.judge.score(hunt.prefix, hunt.cycle, 2 * hunt.length)
    grown = twice.opt - hunt.best.opt
    return (twice.alg - hunt.best.alg) / grown if grown else hunt.best.ratio


def _grow(
    hunt: Hunt, arena: Arena, width: int, horizon: int, rho: float, salt: np.random.Generator
) -> list[Step]:
    beam, steps = _positions(1, 1), []
    beam.size[0], beam.chance[0, 0] = 1, 1.0
    for _ in range(horizon):
        hunt.charge(beam.size.size * arena.requests)
        children = _children(arena, beam)
        chosen = _chosen(children, width, rho, salt)
        parent, request = np.divmod(chosen, arena.requests)
        room = int(children.size[chosen].max())
        beam = Positions(
            np.ascontiguousarray(children.p[chosen, :room]),
            np.ascontiguousarray(children.chance[chosen, :room]),
            children.size[chosen],
            children.work[chosen],
            children.alg[chosen],
            children.opt[chosen],
            children.key[chosen],
        )
        steps.append(Step(parent, request, beam.alg, beam.opt, beam.work, beam.key))
    return steps


def _positions(count: int, room: int) -> Positions:
    return Positions(
        np.zeros((count, room), dtype=np.int32),
        np.zeros((count, room)),
        np.zeros(count, dtype=np.int32),
        np.zeros(count, dtype=np.int32),
        np.zeros(count),
        np.zeros(count, dtype=np.int64),
        np.zeros(count, dtype=np.uint64),
    )


def _children(arena: Arena, beam: Positions) -> Positions:
    """Every position by every request."""
    room = 2 * beam.p.shape[1]
    while True:
        found = _positions(beam.size.size * arena.requests, room)
        needed = arena.expand(beam, found)
        if not needed:
            found.alg[:] += np.repeat(beam.alg, arena.requests)
            found.opt[:] += np.repeat(beam.opt, arena.requests)
            return found
        room = 2 * needed


def _chosen(children: Positions, width: int, rho: float, salt: np.random.Generator) -> LongArray:
    """Which children stay: equal ones once, and work functions in turn."""
    value = children.alg - rho * children.opt
    tie = salt.random(value.size)
    order = np.lexsort((tie, -value, children.key))
    fresh = np.ones(order.size, dtype=np.bool_)
    fresh[1:] = children.key[order[1:]] != children.key[order[:-1]]
    order = order[fresh]
    order = order[np.lexsort((tie[order], -value[order], children.work[order]))]
    work = children.work[order]
    first = np.flatnonzero(np.r_[True, work[1:] != work[:-1]])
    rank = np.arange(order.size) - np.repeat(first, np.diff(np.r_[first, order.size]))
    best: LongArray = order[np.lexsort((-value[order], rank))[:width]]
    return best


def _best_paths(steps: list[Step], rho: float) -> list[tuple[Any, ...]]:
    """The paths of most value: requests, and misses, work function and hash after each."""
    last = steps[-1]
    ends = np.argsort(-(last.alg - rho * last.opt), kind="stable")[:ENDS]
    paths = []
    for end in ends.tolist():
        taken, at = [], end
        for step in reversed(steps):
            row = int(step.request[at]), step.alg[at], step.opt[at], step.work[at], step.key[at]
            taken.append(row)
            at = int(step.parent[at])
        requests, *columns = zip(*taken[::-1], strict=True)
        paths.append((list(requests), *(np.array(column) for column in columns)))
    return paths


def _cuts(requests: list[int], alg: Any, opt: Any, work: Any, key: Any) -> list[tuple[list[int], list[int]]]:
    """Cycles of a path: between two visits to one work function, those of the largest ratio.

    The same position twice is a cycle for certain; where only the work function recurs, the score will tell.
    """
    found: list[tuple[list[int], list[int]]] = []
    paid, grown = alg[None, :] - alg[:, None], opt[None, :] - opt[:, None]
    later = np.triu(np.ones(paid.shape, dtype=np.bool_), 1) & (paid > 0)
    free = np.where(later, paid / np.maximum(grown, 0.1), 0.0)
    dear = np.where(later & (grown > 0), paid / np.maximum(grown, 1), 0.0)
    for same, ratio in ((key, free), (work, dear)):
        mine = np.where(same[:, None] == same[None, :], ratio, 0.0)
        best = mine.argmax(axis=1)
        worth = mine[np.arange(best.size), best]
        for i in np.argsort(-worth, kind="stable")[:CUTS].tolist():
            if worth[i] > 0:
                found.append((requests[: i + 1], requests[i + 1 : best[i] + 1]))
    return found
