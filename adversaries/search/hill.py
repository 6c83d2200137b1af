"""Hill climbing over (prefix, cycle) by moves of segments, with restarts.

A cycle that is repeated to fill the file pays its compulsory misses once, so what climbs is, but for them,
the ratio of the cycle. Moves cut a segment out, repeat it, reverse it, copy it elsewhere, rename two of its
nodes, or change a request; a move is kept if the ratio does not fall. A climb that stands still starts again.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from adversaries.search.candidate import Hunt

PATIENCE = 300
LONGEST_PREFIX, LONGEST_CYCLE = 48, 400
EQUAL, DRIFT = 1e-12, 0.5
Words = list[int]


def climb(hunt: Hunt, seed: int) -> None:
    """Spend the whole budget; ends with :class:`BudgetSpent`.

    Args:
        hunt: what is searched.
        seed: of every draw.
    """
    rng = random.Random(seed)
    while True:
        _one_climb(hunt, rng)


def _one_climb(hunt: Hunt, rng: random.Random) -> None:
    requests = hunt.judge.requests
    prefix: Words = []
    cycle = [rng.randrange(requests) for _ in range(rng.randint(requests, 4 * requests))]
    here, idle = hunt.score(prefix, cycle), 0
    while idle < PATIENCE:
        new_prefix, new_cycle = moved(prefix, cycle, requests, rng)
        if not new_cycle or len(new_prefix) > LONGEST_PREFIX or len(new_cycle) > LONGEST_CYCLE:
            continue
        there = hunt.score(new_prefix, new_cycle)
        idle = 0 if there > here + EQUAL else idle + 1
        shorter = len(new_prefix) + len(new_cycle) <= len(prefix) + len(cycle)
        if there > here + EQUAL or (there > here - EQUAL and (shorter or rng.random() < DRIFT)):
            prefix, cycle, here = new_prefix, new_cycle, there


def moved(prefix: Words, cycle: Words, requests: int, rng: random.Random) -> tuple[Words, Words]:
    """A neighbour: one move in the cycle, now and then in the prefix, or a request from one to the other."""
    kind = rng.random()
    if kind < 0.85:
        return prefix, _move(cycle, requests, rng)
    if kind < 0.95:
        return _move(prefix or [rng.randrange(requests)], requests, rng), cycle
    turn = rng.randrange(len(cycle))
    return prefix + cycle[:turn], cycle[turn:] + cycle[:turn]


def _move(words: Words, requests: int, rng: random.Random) -> Words:
    if not words:
        return [rng.randrange(requests)]
    first = rng.randrange(len(words))
    size = 1 + min(int(rng.expovariate(3 / len(words))), len(words) - first - 1)
    last = first + size
    segment = words[first:last]
    changed = rng.choice(MOVES)(segment, requests, rng)
    if changed is None:  # copied elsewhere
        at = rng.randrange(len(words) + 1)
        return words[:at] + segment + words[at:]
    return words[:first] + changed + words[last:]


def _delete(segment: Words, requests: int, rng: random.Random) -> Words:
    return []


def _repeat(segment: Words, requests: int, rng: random.Random) -> Words:
    return segment * rng.choice((2, 2, 3, 4))


def _reverse(segment: Words, requests: int, rng: random.Random) -> Words:
    return segment[::-1]


def _copy(segment: Words, requests: int, rng: random.Random) -> None:
    return None


def _mutate(segment: Words, requests: int, rng: random.Random) -> Words:
    segment = list(segment)
    segment[rng.randrange(len(segment))] = rng.randrange(requests)
    return segment


def _insert(segment: Words, requests: int, rng: random.Random) -> Words:
    return [*segment, rng.randrange(requests)]


def _rename(segment: Words, requests: int, rng: random.Random) -> Words:
    a, b = rng.choice(segment), rng.randrange(requests)
    return [b if v == a else a if v == b else v for v in segment]


MOVES: tuple[Callable[[Words, int, random.Random], Words | None], ...] = (
    _delete,
    _repeat,
    _reverse,
    _copy,
    _mutate,
    _insert,
    _rename,
)
