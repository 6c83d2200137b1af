"""LIRS, compiled: :class:`kvtheory.policies.lirs.LIRS` line for line."""

from __future__ import annotations

from typing import Any

from kvtheory._numba import njit_inner
from kvtheory.engine.lists import FRONT, LIST, NOWHERE, NUMBER, OWN, SIZE, Memory, first, pop, push, take
from kvtheory.model import IntArray, LongArray

LIR, HIR, EVICTED = range(3)
LEAF_LISTS, OWN_COLUMNS = 2, 3
BELOW, ABOVE, STACKED = range(OWN, OWN + 3)
CAPACITY, MOST, BOTTOM, TOP, HEIGHT = range(NUMBER, NUMBER + 5)


def start(memory: Memory, mind: Any) -> None:
    m = memory.m
    m[CAPACITY], m[MOST] = mind.capacity, mind.capacity - max(1, mind.capacity // 100)
    m[BOTTOM] = m[TOP] = NOWHERE


@njit_inner
def unstack(node: IntArray, m: LongArray, v: int) -> None:
    """Take a node off the stack, if it is there."""
    if not node[v, STACKED]:
        return
    below, above = node[v, BELOW], node[v, ABOVE]
    if below < 0:
        m[BOTTOM] = above
    else:
        node[below, ABOVE] = above
    if above < 0:
        m[TOP] = below
    else:
        node[above, BELOW] = below
    node[v, STACKED] = 0
    m[HEIGHT] -= 1


@njit_inner
def to_top(node: IntArray, m: LongArray, v: int) -> None:
    unstack(node, m, v)
    top = m[TOP]
    node[v, BELOW], node[v, ABOVE], node[v, STACKED] = top, NOWHERE, 1
    if top < 0:
        m[BOTTOM] = v
    else:
        node[top, ABOVE] = v
    m[TOP] = v
    m[HEIGHT] += 1


@njit_inner
def prune(node: IntArray, m: LongArray) -> None:
    """Cut the stack below its oldest LIR node."""
    while m[HEIGHT] and node[m[BOTTOM], LIST] != LIR:
        v = m[BOTTOM]
        unstack(node, m, v)
        if node[v, LIST] == EVICTED:
            take(node, m, v)


@njit_inner
def limit(node: IntArray, m: LongArray) -> None:
    while m[HEIGHT] > 2 * m[CAPACITY] and m[SIZE + EVICTED]:
        unstack(node, m, pop(node, m, EVICTED))


@njit_inner
def promote(node: IntArray, m: LongArray, v: int) -> None:
    """Make a node at the top of the stack LIR, and the oldest LIR node HIR if that is one too many."""
    push(node, m, LIR, v)
    if m[SIZE + LIR] > m[MOST]:
        oldest = m[FRONT + LIR]
        unstack(node, m, oldest)
        push(node, m, HIR, oldest)
        prune(node, m)


@njit_inner
def on_request(node: IntArray, m: LongArray, path: IntArray, length: int, held: int) -> None:
    for i in range(held - 1, -1, -1):
        v = path[i]
        known = node[v, STACKED] == 1
        to_top(node, m, v)
        if node[v, LIST] == LIR:
            push(node, m, LIR, v)
            prune(node, m)
        elif known:
            promote(node, m, v)
        else:
            push(node, m, HIR, v)
    limit(node, m)


@njit_inner
def on_insert(node: IntArray, m: LongArray, v: int) -> None:
    known = node[v, STACKED] == 1
    to_top(node, m, v)
    if known or m[SIZE + LIR] < m[MOST]:
        promote(node, m, v)
    else:
        push(node, m, HIR, v)


@njit_inner
def victim(node: IntArray, m: LongArray, over: int) -> int:
    found = first(m, HIR, 0)
    return first(m, LIR, 0) if found < 0 else found


@njit_inner
def on_evict(node: IntArray, m: LongArray, v: int) -> None:
    if node[v, LIST] == LIR:
        take(node, m, v)
        unstack(node, m, v)
        prune(node, m)
    elif node[v, STACKED]:
        push(node, m, EVICTED, v)
    else:
        take(node, m, v)
    limit(node, m)
