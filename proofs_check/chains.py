"""A phase of marking with chains, in plain sets: every choice of the predictor against every draw."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction
from functools import cache

from kvtheory.testing.instances import Parents
from proofs_check.instances import closed_sets, leaves_of, members, path_masks

Holes = frozenset[tuple[int, int]]


def worst_phase(
    parents: Parents, capacity: int, start: int, requests: tuple[int, ...], trusted: int
) -> Fraction:
    """Expected misses of a phase if every choice of the predictor is the worst for these requests.

    Args:
        parents: parent of node 1, 2, ...
        capacity: nodes the cache holds.
        start: the cache when the phase begins, a bitmask.
        requests: the phase.
        trusted: evictions of a chain that are the predictor's.
    """
    paths = path_masks(parents)

    @cache
    def serve(i: int, cached: int, holes: Holes) -> Fraction:
        """Misses from request i on; a hole is an evicted node and how long its chain was then."""
        if i == len(requests):
            return Fraction(0)
        path, chain = paths[requests[i]], dict(holes)
        missing = [u for u in members(path) if not cached >> u - 1 & 1]
        room = [chain.pop(u, 0) for u in missing][capacity - cached.bit_count() :]
        return len(missing) + evict(i, cached | path, frozenset(chain.items()), tuple(room))

    def evict(i: int, cached: int, holes: Holes, room: tuple[int, ...]) -> Fraction:
        if not room:
            return serve(i + 1, cached, holes)
        marks = 0
        for v in requests[: i + 1]:
            marks |= paths[v]
        found = [
            evict(i, cached & ~(1 << u - 1), holes | {(u, room[0] + 1)}, room[1:])
            for u in leaves_of(cached, parents)
            if not marks >> u - 1 & 1
        ]
        return max(found) if room[0] < trusted else sum(found, Fraction(0)) / len(found)

    return serve(0, start, frozenset())


def all_phases(
    parents: Parents, capacity: int, length: int
) -> Iterator[tuple[int, tuple[int, ...], int, int]]:
    """Every cache and every phase: the cache, the requests, the nodes that they lack, the cache's leaves."""
    paths = path_masks(parents)
    fitting = [v for v in range(1, len(paths)) if paths[v].bit_count() <= capacity]
    for start in closed_sets(parents):
        if start.bit_count() > capacity:
            continue
        for requests in itertools.permutations(fitting, min(length, len(fitting))):
            nodes = 0
            for v in requests:
                nodes |= paths[v]
            if nodes.bit_count() <= capacity:
                yield start, requests, (nodes & ~start).bit_count(), max(1, len(leaves_of(start, parents)))
