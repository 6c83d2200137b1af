"""Leaves and tails of a set of merged runs: what giving one up frees.

A set is given by flags, one per run; a leaf's tail is the runs that only it needs (see
:mod:`kvtheory.requestable`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kvtheory._numba import njit
from kvtheory.model import IntArray, LongArray

Flags = npt.NDArray[np.bool_]


@njit
def children(parent: IntArray) -> tuple[IntArray, IntArray]:
    """The first child of each run, and the next child of the same parent; 0 for none."""
    first, following = np.zeros(parent.size, np.int32), np.zeros(parent.size, np.int32)
    for r in range(parent.size - 1, 0, -1):
        following[r] = first[parent[r]]
        first[parent[r]] = r
    return first, following


@njit
def count_kids(parent: IntArray, inside: Flags) -> LongArray:
    """Children of each run inside the set."""
    kids = np.zeros(parent.size, np.int64)
    for r in range(1, parent.size):
        if inside[r]:
            kids[parent[r]] += 1
    return kids


@njit
def tail_top(parent: IntArray, marked: Flags, kids: LongArray, a: int) -> int:
    """The highest run of a leaf's tail."""
    while kids[parent[a]] == 1 and not marked[parent[a]]:
        a = parent[a]
    return a


@njit
def remove(parent: IntArray, marked: Flags, kids: LongArray, inside: Flags, a: int) -> None:
    """Take a leaf and its tail out of a set."""
    top = tail_top(parent, marked, kids, a)
    while a != parent[top]:
        inside[a] = False
        a = parent[a]
    kids[a] -= 1


@njit
def trim(parent: IntArray, length: IntArray, bottom: LongArray, marked: Flags, inside: Flags, k: int) -> None:
    """Make a set overflow by the shortest path that does, then give up leaves that are not to blame."""
    size = parent.size
    nodes, cheapest, chosen = 0, 1 << 60, 0
    hang = np.zeros(size, np.int32)
    for r in range(1, size):
        hang[r] = parent[r] if inside[parent[r]] else hang[parent[r]]
        if inside[r]:
            nodes += length[r]
    while nodes <= k:
        cheapest, chosen = 1 << 60, 0
        longest, deepest = 0, 0
        for b in range(1, size):
            if marked[b] and not inside[b]:
                at = b
                while not inside[at]:
                    at = parent[at]
                cost = bottom[b] - bottom[at]
                if nodes + cost > k and cost < cheapest:
                    cheapest, chosen = cost, b
                if cost > longest:
                    longest, deepest = cost, b
        b = chosen if chosen else deepest
        while not inside[b]:
            inside[b] = True
            nodes += length[b]
            b = parent[b]
    kids = count_kids(parent, inside)
    changed = True
    while changed:
        changed = False
        for a in range(size - 1, 0, -1):
            if inside[a] and kids[a] == 0:
                top = tail_top(parent, marked, kids, a)
                tail = bottom[a] - bottom[parent[top]]
                if nodes - tail > k:
                    remove(parent, marked, kids, inside, a)
                    nodes -= tail
                    changed = True


@njit
def drop_longest(parent: IntArray, bottom: LongArray, marked: Flags, inside: Flags) -> int:
    """Give up the leaf with the longest tail; how many nodes that freed."""
    kids = count_kids(parent, inside)
    longest, chosen = 0, 0
    for a in range(1, parent.size):
        if inside[a] and kids[a] == 0:
            tail = bottom[a] - bottom[parent[tail_top(parent, marked, kids, a)]]
            if tail > longest:
                longest, chosen = tail, a
    if chosen:
        remove(parent, marked, kids, inside, chosen)
    return longest
