"""ARC and DBL, compiled: :class:`kvtheory.policies.arc.ARC` line for line."""

from __future__ import annotations

from typing import Any

from kvtheory._numba import njit_inner
from kvtheory.engine.lists import (
    LIST,
    NUMBER,
    SIZE,
    Memory,
    first,
    first_waiting,
    note,
    pop,
    push,
    real,
    set_real,
    waiting,
)
from kvtheory.model import IntArray, LongArray

T1, T2, B1, B2 = range(4)
LEAF_LISTS, OWN_COLUMNS = 2, 0
CAPACITY, ADAPTS, P = range(NUMBER, NUMBER + 3)
NEW, RECENT_GHOST, FREQUENT_GHOST = range(3)


def start(memory: Memory, mind: Any) -> None:
    m = memory.m
    m[CAPACITY], m[ADAPTS] = mind.capacity, mind.adapts
    set_real(m, P, mind.p)


@njit_inner
def on_request(node: IntArray, m: LongArray, path: IntArray, length: int, held: int) -> None:
    for i in range(held):
        push(node, m, T2, path[i])


@njit_inner
def aim(m: LongArray, change: float) -> None:
    if m[ADAPTS]:
        set_real(m, P, min(float(m[CAPACITY]), max(0.0, real(m, P) + change)))


@njit_inner
def on_insert(node: IntArray, m: LongArray, v: int) -> None:
    to, was = T2, NEW
    if node[v, LIST] == B1:
        aim(m, max(1.0, m[SIZE + B2] / m[SIZE + B1]))
        was = RECENT_GHOST
    elif node[v, LIST] == B2:
        aim(m, -max(1.0, m[SIZE + B1] / m[SIZE + B2]))
        was = FREQUENT_GHOST
    else:
        to = T1
    push(node, m, to, v)
    note(m, was, was == NEW)


@njit_inner
def victim(node: IntArray, m: LongArray, over: int) -> int:
    recent, p = m[SIZE + T1] - waiting(m, over), real(m, P)
    above = recent > p or (recent == p and first_waiting(m, over) == FREQUENT_GHOST)
    queue = T1 if recent and above else T2
    found = first(m, queue, 0)
    return first(m, 1 - queue, 0) if found < 0 else found


@njit_inner
def on_evict(node: IntArray, m: LongArray, v: int) -> None:
    push(node, m, B1 if node[v, LIST] == T1 else B2, v)
    capacity = m[CAPACITY]
    while m[SIZE + B1] and m[SIZE + T1] + m[SIZE + B1] > capacity:
        pop(node, m, B1)
    while m[SIZE + B2] and m[SIZE + T1] + m[SIZE + T2] + m[SIZE + B1] + m[SIZE + B2] > 2 * capacity:
        pop(node, m, B2)
