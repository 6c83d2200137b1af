"""The online player's game on (work function, cache state): the best deterministic ratio and both proofs.

The adversary requests a node, the online player answers with its next cache state. For a candidate rho = p/q
an edge weighs `q * alg - p * opt`; the online player holds rho if it can keep all walks bounded, the
adversary if it can keep it from falling without bound. Both are decided by raising potentials until they stop
(energy games, Brim et al. 2011); for every rho but the value exactly one of the two stops. The winner's
positional strategy is then evaluated exactly, as a cycle ratio; candidates are the simplest fractions between
the two best strategies, so that the search ends when their ratios meet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
import numpy.typing as npt

from kvtheory.errors import LimitError
from kvtheory.model import IntArray, LongArray
from kvtheory.ratio.cycle import CycleRatio, maximum_cycle_ratio
from kvtheory.ratio.work_function import WorkFunctions

BARRED = 1 << 40
MOST_CELLS = 1 << 26


@dataclass(frozen=True, eq=False)
class Moves:
    """The cache states that the online player may choose, and what each choice costs.

    Lazily: nodes are loaded when requested, evicted when there is no room. With prefetching: any closed set
    that holds the requested path, every loaded node at unit cost.

    Attributes:
        works: OPT's automaton; `closed` sets are its instance's.
        target: int32, shape (R, M, K): the next cache state, padded by repeating the last.
        cost: int64, shape (R, M, K).
        hit: bool, shape (R, M): the path is cached.
    """

    works: WorkFunctions
    target: IntArray
    cost: LongArray
    hit: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, works: WorkFunctions, *, prefetch: bool) -> Moves:
        """Every move of every cache state.

        Raises:
            LimitError: if the table of answers would be too large.
        """
        game = works.instance
        closed = game.closed.tolist()
        choices: list[list[list[int]]] = []
        for v in game.requestable:
            path = game.paths[v]
            holding = [j for j, mask in enumerate(closed) if mask & path == path]
            row = []
            for mask in closed:
                union = mask | path
                room = min(game.capacity, union.bit_count())
                if prefetch:
                    row.append(holding)
                else:
                    row.append(
                        [j for j in holding if closed[j] & ~union == 0 and closed[j].bit_count() == room]
                    )
            choices.append(row)
        most = max(len(targets) for row in choices for targets in row)
        if len(works) * len(closed) * most > MOST_CELLS:
            raise LimitError(f"{len(works)} work functions x {len(closed)} cache states: too large a game")
        padded = [[t + [t[-1]] * (most - len(t)) for t in row] for row in choices]
        target = np.array(padded, dtype=np.int32)
        sets = np.array(closed, dtype=np.int64)
        cost = np.bitwise_count(sets[target] & ~sets[None, :, None]).astype(np.int64)
        paths = np.array([game.paths[v] for v in game.requestable], dtype=np.int64)
        hit = (sets[None, :] & paths[:, None]) == paths[:, None]
        return cls(works, target, cost, hit)

    @cached_property
    def shape(self) -> tuple[int, int]:
        """Work functions, cache states."""
        return len(self.works), self.target.shape[1]

    @property
    def zero(self) -> LongArray:
        """A potential of 0 everywhere, shape (Q, M)."""
        return np.zeros(self.shape, dtype=np.int64)

    def answers(self, potential: LongArray, r: int, p: int, q: int) -> LongArray:
        """Weight of every answer to request r plus the potential it leads to, shape (Q, M, K)."""
        after = potential[self.works.next[:, r]][:, self.target[r]]
        owed = p * self.works.increase[:, r].astype(np.int64)
        total: LongArray = after + q * self.cost[r][None] - owed[:, None, None]
        return total

    def raise_online(self, potential: LongArray, p: int, q: int) -> LongArray:
        """One sweep: what the online player may still lose from each pair within one more request."""
        best = np.zeros_like(potential)
        for r in range(len(self.target)):
            np.maximum(best, self.answers(potential, r, p, q).min(axis=2), out=best)
        return best

    def raise_adversary(self, potential: LongArray, p: int, q: int) -> LongArray:
        """One sweep: the credit the adversary needs; it requests only what is not cached."""
        best = np.full_like(potential, BARRED)
        for r in range(len(self.target)):
            needed = -self.answers(-potential, r, p, q).min(axis=2)
            needed[:, self.hit[r]] = BARRED
            np.minimum(best, needed, out=best)
        return np.maximum(best, 0)

    def online_strategy(self, potential: LongArray, p: int, q: int) -> IntArray:
        """The answer that leads to the least potential, int32, shape (Q, M, R)."""
        rows = range(self.shape[1])
        picks = [self.answers(potential, r, p, q).argmin(axis=2) for r in range(len(self.target))]
        chosen = [self.target[r][rows, pick] for r, pick in enumerate(picks)]
        return np.ascontiguousarray(np.stack(chosen, axis=2), dtype=np.int32)

    def adversary_strategy(self, potential: LongArray, p: int, q: int) -> IntArray:
        """The request that needs the least credit, int32, shape (Q, M); -1 where everything is cached."""
        needed = []
        for r in range(len(self.target)):
            credit = -self.answers(-potential, r, p, q).min(axis=2)
            credit[:, self.hit[r]] = BARRED
            needed.append(credit)
        stacked = np.stack(needed, axis=2)
        pick = stacked.argmin(axis=2).astype(np.int32)
        pick[stacked.min(axis=2) >= BARRED] = -1
        return np.ascontiguousarray(pick, dtype=np.int32)


@dataclass(frozen=True, eq=False)
class Played:
    """One player's positional strategy against every play of the other, from the empty cache.

    Attributes:
        ratio: the exact ratio it holds the other to.
        pairs: int32, shape (N, 2): the (work function, cache state) pairs that can occur, the start first.
        table: the strategy by pair: next cache states, shape (N, R), or the request, shape (N,).
        potential: int64, shape (N,): proves the ratio, in units of one over its denominator (online player),
            or of one over its numerator (adversary).
    """

    ratio: Fraction
    pairs: IntArray
    table: IntArray
    potential: LongArray


def play_online(moves: Moves, strategy: IntArray) -> Played:
    """The exact ratio of an online strategy: the largest cycle over every request sequence.

    Potentials satisfy `q * alg - p * opt + potential[after] <= potential[before]` for every request.
    """
    sets = moves.works.instance.closed
    requests = len(moves.target)

    def successors(q: int, i: int) -> list[tuple[int, int]]:
        return [(int(moves.works.next[q, r]), int(strategy[q, i, r])) for r in range(requests)]

    pairs, target = _explore(successors)
    at, state = pairs[:, 0], pairs[:, 1]
    table = strategy[at, state]
    alg = np.bitwise_count(sets[table] & ~sets[state][:, None]).astype(np.int64)
    opt = moves.works.increase[at].astype(np.int64)
    found = maximum_cycle_ratio(target, alg, opt, Fraction(1))
    return Played(_finite(found), pairs, table, found.potential)


def play_adversary(moves: Moves, strategy: IntArray) -> Played:
    """The exact ratio an adversary forces: the smallest cycle over every answer.

    Potentials satisfy `q * alg - p * opt - potential[after] >= -potential[before]` for every answer: with
    alg and opt exchanged, they prove that opt/alg is at most q/p.
    """
    works = moves.works

    def answers(q: int, i: int) -> tuple[int, list[int]]:
        r = int(strategy[q, i])
        return r, list(dict.fromkeys(moves.target[r, i].tolist()))

    def successors(q: int, i: int) -> list[tuple[int, int]]:
        r, targets = answers(q, i)
        return [(int(works.next[q, r]), j) for j in targets]

    pairs, target = _explore(successors)
    at, state = pairs[:, 0], pairs[:, 1]
    table = strategy[at, state]
    sets = works.instance.closed
    after = pairs[np.maximum(target, 0), 1]
    alg = np.bitwise_count(sets[after] & ~sets[state][:, None]).astype(np.int64)
    opt = np.repeat(works.increase[at, table].astype(np.int64)[:, None], target.shape[1], axis=1)
    found = maximum_cycle_ratio(target, opt, alg)
    if found.ratio is None or not found.ratio:
        raise LimitError("the adversary's play never costs OPT anything")
    return Played(1 / found.ratio, pairs, table, found.potential)


def _finite(found: CycleRatio) -> Fraction:
    if found.ratio is None:
        raise LimitError("an online strategy of infinite ratio")
    return found.ratio


def _explore(successors: Callable[[int, int], list[tuple[int, int]]]) -> tuple[IntArray, IntArray]:
    index = {(0, 0): 0}
    order, rows = [(0, 0)], []
    for pair in order:
        row = []
        for after in successors(*pair):
            if after not in index:
                index[after] = len(order)
                order.append(after)
            row.append(index[after])
        rows.append(row)
    target = np.full((len(rows), max(len(row) for row in rows)), -1, dtype=np.int32)
    for i, row in enumerate(rows):
        target[i, : len(row)] = row
    return np.array(order, dtype=np.int32), target


def solve(moves: Moves, sweeps: int) -> tuple[Played, Played]:
    """The best strategies found of both players; optimal, and of equal ratio, unless the sweeps ran out.

    More nodes than the capacity must be requestable; otherwise OPT stops paying and there is no adversary.

    Raises:
        LimitError: if not even the capacity, or 1, was settled within the sweeps.
    """
    best = _settled(moves, Fraction(moves.works.instance.capacity), sweeps, "online")
    worst = _settled(moves, Fraction(1), sweeps, "adversary")
    while worst.ratio < best.ratio:
        verdict = decide(moves, simplest_between(worst.ratio, best.ratio), sweeps)
        if verdict is None:
            break
        who, found = verdict
        best, worst = (found, worst) if who == "online" else (best, found)
    return best, worst


def decide(
    moves: Moves, rho: Fraction, sweeps: int, players: tuple[str, ...] = ("online", "adversary")
) -> tuple[str, Played] | None:
    """Who holds `rho`, `online` or `adversary`, and how; None if no player's potentials stopped rising.

    Args:
        moves: the game.
        rho: the candidate ratio.
        sweeps: most sweeps of each player.
        players: whose potentials are raised.
    """
    p, q = rho.numerator, rho.denominator
    online = adversary = moves.zero
    for _ in range(sweeps):
        if "online" in players:
            raised = moves.raise_online(online, p, q)
            if np.array_equal(raised, online):
                return "online", play_online(moves, moves.online_strategy(online, p, q))
            online = raised
        if "adversary" in players:
            raised = moves.raise_adversary(adversary, p, q)
            if np.array_equal(raised, adversary):
                return "adversary", play_adversary(moves, moves.adversary_strategy(adversary, p, q))
            adversary = raised
    return None


def _settled(moves: Moves, rho: Fraction, sweeps: int, player: str) -> Played:
    verdict = decide(moves, rho, sweeps, (player,))
    if verdict is None:
        raise LimitError(f"the ratio {rho} was not settled within {sweeps} sweeps")
    return verdict[1]


def simplest_between(low: Fraction, high: Fraction) -> Fraction:
    """The fraction of least denominator strictly between two (the least such numerator)."""
    whole = low.numerator // low.denominator
    if whole + 1 < high:
        return Fraction(whole + 1)
    if low == whole:
        return whole + Fraction(1, int(1 / (high - whole)) + 1)
    return whole + 1 / simplest_between(1 / (high - whole), 1 / (low - whole))
