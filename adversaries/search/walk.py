"""Compiled walks through the tables: a whole file for its score, or many positions by every request.

A policy's distribution is a list of states with chances, in float64: it guides a search and is never
reported. For a deterministic policy it is one state, and all sums are exact integers.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kvtheory._numba import njit, njit_wrapping
from kvtheory.mix import mixed
from kvtheory.model import IntArray, LongArray

Floats = npt.NDArray[np.float64]
Hashes = npt.NDArray[np.uint64]
DONE, POLICY, OPT = 0, 1, 2
NEGLIGIBLE, SAME = 1e-13, 1e-10


class Tables(NamedTuple):
    """What :mod:`adversaries.search.tables` knows, for compiled code; its attributes have the same names."""

    begin: LongArray
    outcomes: IntArray
    misses: IntArray
    to: IntArray
    part: Floats
    next_work: IntArray
    increase: IntArray


class Positions(NamedTuple):
    """Distributions and work functions.

    Attributes:
        p: int32, shape (B, S): policy states, with `chance`, float64.
        chance: float64, shape (B, S).
        size: int32, shape (B,): how many states.
        work: int32, shape (B,): work functions.
        alg: float64, shape (B,): misses so far.
        opt: int64, shape (B,): OPT so far.
        key: uint64, shape (B,): a hash of the position.
    """

    p: IntArray
    chance: Floats
    size: IntArray
    work: IntArray
    alg: Floats
    opt: LongArray
    key: Hashes


@njit
def serve(
    p: IntArray,
    chance: Floats,
    size: int,
    r: int,
    tables: Tables,
    slot: IntArray,
    other_p: IntArray,
    other: Floats,
) -> tuple[int, float]:
    """One request for a distribution `p[:size]`, `chance[:size]`; the next one goes into the `other` arrays.

    Returns:
        Its size and the expected misses; size -1 - state where a transition is unknown.
    """
    begin, outcomes, misses, to, part = tables.begin, tables.outcomes, tables.misses, tables.to, tables.part
    paid = 0.0
    for i in range(size):
        if outcomes[p[i], r] < 0:
            return -1 - p[i], 0.0
        paid += chance[i] * misses[p[i], r]
    if size == 1 and outcomes[p[0], r] == 1:
        other_p[0], other[0] = to[begin[p[0], r]], chance[0]
        return 1, paid
    count = 0
    for i in range(size):
        first = begin[p[i], r]
        for j in range(first, first + outcomes[p[i], r]):
            mass = chance[i] * part[j]
            if mass < NEGLIGIBLE:
                continue
            at = slot[to[j]]
            if at < 0:
                at = slot[to[j]] = count
                other_p[count] = to[j]
                other[count] = 0.0
                count += 1
            other[at] += mass
    for i in range(count):
        slot[other_p[i]] = -1
    return count, paid


@njit
def file_score(
    requests: IntArray,
    prefix: int,
    length: int,
    drawn: bool,
    tables: Tables,
    status: LongArray,
) -> tuple[float, int]:
    """Misses of the policy and of OPT on a prefix and then a cycle, repeated to fill a file.

    A cycle that returns to where it began, at some repetition, is not walked again but multiplied.

    Args:
        requests: the prefix, then the cycle, not empty, as request numbers.
        prefix: requests before the cycle.
        length: requests of the file.
        drawn: whether the policy draws; if not, its distributions are one state.
        tables: what is known.
        status: int64, shape (4,), receives DONE, POLICY or OPT; the state and the request that are unknown;
            and the requests that were walked.
    """
    states = tables.outcomes.shape[0] if drawn else 1
    slot = np.full(states, -1, np.int32)
    p, other_p, kept_p = np.zeros(states, np.int32), np.zeros(states, np.int32), np.zeros(states, np.int32)
    chance, other, kept = np.zeros(states), np.zeros(states), np.zeros(states)
    chance[0] = 1.0
    size, w, alg, opt = 1, 0, 0.0, 0
    kept_size, kept_w, kept_at, kept_alg, kept_opt = -1, -1, 0, 0.0, 0
    cycle = requests.size - prefix
    rounds, renew, t, walked = 0, 1, 0, 0
    status[0] = DONE
    while t < length:
        if t >= prefix and (t - prefix) % cycle == 0 and renew > 0:
            same = size == kept_size and w == kept_w
            for i in range(size if same else 0):
                if p[i] != kept_p[i] or abs(chance[i] - kept[i]) > SAME:
                    same = False
                    break
            if same:
                period = t - kept_at
                times = (length - t) // period
                alg += times * (alg - kept_alg)
                opt += times * (opt - kept_opt)
                t += times * period
                renew = 0
                continue
            rounds += 1
            if rounds == renew:
                renew *= 2
                kept_size, kept_w, kept_at, kept_alg, kept_opt = size, w, t, alg, opt
                kept_p[:size] = p[:size]
                kept[:size] = chance[:size]
        r = requests[t] if t < requests.size else requests[prefix + (t - prefix) % cycle]
        if tables.next_work[w, r] < 0:
            status[0], status[1], status[2] = OPT, w, r
            break
        count, paid = serve(p, chance, size, r, tables, slot, other_p, other)
        if count < 0:
            status[0], status[1], status[2] = POLICY, -1 - count, r
            break
        p, other_p = other_p, p
        chance, other = other, chance
        size = count
        alg += paid
        opt += tables.increase[w, r]
        w = tables.next_work[w, r]
        t += 1
        walked += 1
    status[3] = walked
    return alg, opt


@njit_wrapping
def expand(beam: Positions, tables: Tables, after: Positions, status: LongArray) -> int:
    """Every position of a beam by every request.

    Args:
        beam: the positions.
        tables: what is known.
        after: receives the positions after each request, B * R of them; `alg`, `opt`: of that request alone.
        status: as :func:`file_score` fills it, int64, shape (4,).

    Returns:
        0, or the number of states that one of `after` has to hold.
    """
    states, requests = tables.outcomes.shape
    slot = np.full(states, -1, np.int32)
    other_p, other = np.zeros(states, np.int32), np.zeros(states)
    room, none = after.p.shape[1], np.uint64(0)
    status[0] = DONE
    for b in range(beam.size.size):
        for r in range(requests):
            w = beam.work[b]
            if tables.next_work[w, r] < 0:
                status[0], status[1], status[2] = OPT, w, r
                return 0
            count, paid = serve(beam.p[b], beam.chance[b], beam.size[b], r, tables, slot, other_p, other)
            if count < 0:
                status[0], status[1], status[2] = POLICY, -1 - count, r
                return 0
            if count > room:
                return count
            at = b * requests + r
            after.size[at], after.work[at] = count, tables.next_work[w, r]
            after.alg[at], after.opt[at] = paid, tables.increase[w, r]
            digest = mixed(none, np.uint64(tables.next_work[w, r]))
            for i in range(count):
                after.p[at, i], after.chance[at, i] = other_p[i], other[i]
                share = np.uint64(other[i] * 1e6 + 0.5)
                digest += mixed(none, np.uint64(other_p[i] + 1) << np.uint64(32) | share)
            after.key[at] = digest
    return 0
