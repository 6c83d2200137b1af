"""Lists of nodes in arrays, for the compiled twins of objects: what :mod:`kvtheory.leaf_queue` is to objects.

A node is in one list at most. The first lists are *leaf lists*, whose first evictable node is found in a
bitmap of places with 32-way summaries above it: O(1) for all practical lengths, where the object has a heap.
The others (ghosts) know their ends alone. All is written once here; a policy's kernel moves nodes.

Everything is in two arrays, for each makes every function that takes it slower to call and to compile.

`node`, int32, shape (n+1, columns), has a row for each node; from OWN on its columns are the policy's.
`m`, int64, is the rest, at the names below; a name with `+ k` is that of list `k`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kvtheory._numba import njit_inner
from kvtheory.model import IntArray, LongArray

BEFORE, AFTER, LIST, PLACE, FREE, CHILDREN, OWN = range(7)
"""Columns of `node`: neighbours in its list, the list and the place there, whether it may be evicted, cached
children (-1: not cached)."""

MOST = 8
FRONT, BACK, SIZE, PLACES, AT, BITS = range(0, 6 * MOST, MOST)
"""First and last node, -1 for none; how many there are; and for a leaf list the next place, and where in `m`
the node at each place and the bitmap begin."""

LEAF_LISTS, ROOM, WORDS, LEVELS, NOTES, FRESH = range(6 * MOST, 6 * MOST + 6)
"""How many lists are leaf lists; places of each; words of its bitmap; levels of that; where the notes on this
request's insertions begin, two numbers each; how many they are."""

LEVEL = 7 * MOST
"""Where each level of a bitmap begins in it."""

NUMBER = 8 * MOST
"""Sixteen numbers of the policy's own; `real` and `set_real` for those that are not whole."""

WORD = 5
NOWHERE = -1
DE_BRUIJN = 0x077CB531
"""Its multiples by powers of two differ in the five bits from the 27th on."""

BIT = np.zeros(32, np.int64)
BIT[(DE_BRUIJN << np.arange(32)) >> 27 & 31] = np.arange(32)


class Memory(NamedTuple):
    """The two arrays."""

    node: IntArray
    m: LongArray


def empty_memory(nodes: int, capacity: int, height: int, leaf_lists: int, own: int) -> Memory:
    """Nothing cached, every list empty.

    Args:
        nodes: of the tree, the root included.
        capacity: nodes the cache holds.
        height: of the tree: so many nodes may be cached beyond the capacity while a request is served.
        leaf_lists: how many lists hold cached nodes; they come first.
        own: columns of the policy's own.
    """
    room = 2 * (capacity + height) + 64
    levels, words = [0], (room >> WORD) + 1
    while words > 1:
        levels.append(levels[-1] + words)
        words = (words >> WORD) + 1
    notes = NUMBER + 16
    first_list = notes + 2 * height + 2
    each = room + levels[-1] + 1
    m = np.zeros(first_list + leaf_lists * each, np.int64)
    m[FRONT:SIZE] = NOWHERE
    m[LEAF_LISTS:LEVEL][:5] = leaf_lists, room, levels[-1] + 1, len(levels), notes
    m[LEVEL : LEVEL + len(levels)] = levels
    for k in range(leaf_lists):
        m[AT + k] = first_list + k * each
        m[BITS + k] = m[AT + k] + room
    node = np.zeros((nodes, max(8, OWN + own)), np.int32)
    node[:, :PLACE] = NOWHERE
    node[1:, CHILDREN] = -1
    return Memory(node, m)


@njit_inner
def real(m: LongArray, i: int) -> float:
    """A number of the policy's that is not whole."""
    return float(np.int64(m[i]).view(np.float64))


@njit_inner
def set_real(m: LongArray, i: int, value: float) -> None:
    """Keep a number that is not whole."""
    m[i] = np.float64(value).view(np.int64)


@njit_inner
def mark(m: LongArray, k: int, place: int) -> None:
    """The node at a place may be evicted."""
    for level in range(m[LEVELS]):
        at = m[BITS + k] + m[LEVEL + level] + (place >> WORD)
        was = m[at]
        m[at] = was | (np.int64(1) << (place & 31))
        if was:
            break
        place >>= WORD


@njit_inner
def clear(m: LongArray, k: int, place: int) -> None:
    """The node at a place may not be evicted."""
    for level in range(m[LEVELS]):
        at = m[BITS + k] + m[LEVEL + level] + (place >> WORD)
        m[at] &= ~(np.int64(1) << (place & 31))
        if m[at]:
            break
        place >>= WORD


@njit_inner
def lowest(word: int) -> int:
    """The lowest bit of 32 that is set; one is."""
    return int(BIT[((word & -word) * DE_BRUIJN >> 27) & 31])


@njit_inner
def first(m: LongArray, k: int, place: int) -> int:
    """The evictable node of list `k` at the first place from `place` on; -1 if there is none."""
    level = 0
    while True:
        word = m[m[BITS + k] + m[LEVEL + level] + (place >> WORD)] >> (place & 31)
        if word:
            break
        place = (place >> WORD) + 1
        level += 1
        if level == m[LEVELS]:
            return -1
    place += lowest(word)
    while level:
        level -= 1
        place = place * 32 + lowest(m[m[BITS + k] + m[LEVEL + level] + place])
    return int(m[m[AT + k] + place])


@njit_inner
def take(node: IntArray, m: LongArray, v: int) -> int:
    """Take `v` out of its list; which it was, -1 for none."""
    k = node[v, LIST]
    if k < 0:
        return -1
    before, after = node[v, BEFORE], node[v, AFTER]
    if before < 0:
        m[FRONT + k] = after
    else:
        node[before, AFTER] = after
    if after < 0:
        m[BACK + k] = before
    else:
        node[after, BEFORE] = before
    m[SIZE + k] -= 1
    if node[v, FREE] and k < m[LEAF_LISTS]:
        clear(m, k, node[v, PLACE])
    node[v, LIST] = NOWHERE
    return int(k)


@njit_inner
def push(node: IntArray, m: LongArray, k: int, v: int) -> None:
    """Put `v` at the back of list `k`, wherever it was."""
    take(node, m, v)
    back = m[BACK + k]
    node[v, BEFORE], node[v, AFTER], node[v, LIST] = back, NOWHERE, k
    if back < 0:
        m[FRONT + k] = v
    else:
        node[back, AFTER] = v
    m[BACK + k] = v
    m[SIZE + k] += 1
    if k < m[LEAF_LISTS]:
        if m[PLACES + k] == m[ROOM]:
            renumber(node, m, k)
        place = m[PLACES + k]
        m[PLACES + k] = place + 1
        node[v, PLACE] = place
        m[m[AT + k] + place] = v
        if node[v, FREE]:
            mark(m, k, place)


@njit_inner
def renumber(node: IntArray, m: LongArray, k: int) -> None:
    """Give out the places of leaf list `k` but its last anew, front first: it fills at most half of them."""
    for at in range(m[BITS + k], m[BITS + k] + m[WORDS]):
        m[at] = 0
    place, v = 0, m[FRONT + k]
    while v != m[BACK + k]:
        node[v, PLACE] = place
        m[m[AT + k] + place] = v
        if node[v, FREE]:
            mark(m, k, place)
        place += 1
        v = node[v, AFTER]
    m[PLACES + k] = place


@njit_inner
def pop(node: IntArray, m: LongArray, k: int) -> int:
    """Take the front out of list `k`, leaf or not; there is one."""
    v = m[FRONT + k]
    take(node, m, v)
    return int(v)


@njit_inner
def offer(node: IntArray, m: LongArray, v: int) -> None:
    """`v` may be evicted from now on."""
    node[v, FREE] = 1
    if 0 <= node[v, LIST] < m[LEAF_LISTS]:
        mark(m, node[v, LIST], node[v, PLACE])


@njit_inner
def hold(node: IntArray, m: LongArray, v: int) -> None:
    """`v` may not be evicted from now on."""
    if node[v, FREE]:
        node[v, FREE] = 0
        if 0 <= node[v, LIST] < m[LEAF_LISTS]:
            clear(m, node[v, LIST], node[v, PLACE])


@njit_inner
def note(m: LongArray, what: int, counts: bool) -> None:
    """Note something of a node that this request inserts, and whether it is to be counted."""
    at = m[NOTES] + 2 * m[FRESH]
    m[at + 1] = what
    m[at + 2] = m[at] + counts
    m[FRESH] += 1


@njit_inner
def waiting(m: LongArray, over: int) -> int:
    """How many of the last `over` inserted nodes, for which there is no room yet, are counted."""
    at = m[NOTES] + 2 * m[FRESH]
    return int(m[at] - m[at - 2 * over])


@njit_inner
def first_waiting(m: LongArray, over: int) -> int:
    """What was noted of the first of the last `over` inserted nodes."""
    return int(m[m[NOTES] + 2 * (m[FRESH] - over) + 1])
