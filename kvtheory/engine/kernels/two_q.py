"""2Q, compiled: :class:`kvtheory.policies.two_q.TwoQ` line for line."""

from __future__ import annotations

from typing import Any

from kvtheory._numba import njit_inner
from kvtheory.engine.lists import LIST, NUMBER, SIZE, Memory, first, note, pop, push, take, waiting
from kvtheory.model import IntArray, LongArray

A1IN, AM, A1OUT = range(3)
LEAF_LISTS, OWN_COLUMNS = 2, 0
CAPACITY = NUMBER


def start(memory: Memory, mind: Any) -> None:
    memory.m[CAPACITY] = mind.capacity


@njit_inner
def on_request(node: IntArray, m: LongArray, path: IntArray, length: int, held: int) -> None:
    for i in range(held):
        if node[path[i], LIST] == AM:
            push(node, m, AM, path[i])


@njit_inner
def on_insert(node: IntArray, m: LongArray, v: int) -> None:
    known = node[v, LIST] == A1OUT
    push(node, m, AM if known else A1IN, v)
    note(m, v, not known)


@njit_inner
def victim(node: IntArray, m: LongArray, over: int) -> int:
    queue = A1IN if m[SIZE + A1IN] - waiting(m, over) > max(1, m[CAPACITY] // 4) else AM
    found = first(m, queue, 0)
    return first(m, 1 - queue, 0) if found < 0 else found


@njit_inner
def on_evict(node: IntArray, m: LongArray, v: int) -> None:
    if node[v, LIST] == AM:
        take(node, m, v)
        return
    push(node, m, A1OUT, v)
    if m[SIZE + A1OUT] > max(1, m[CAPACITY] // 2):
        pop(node, m, A1OUT)
