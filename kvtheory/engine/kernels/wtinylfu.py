"""W-TinyLFU, compiled: :class:`kvtheory.policies.wtinylfu.WTinyLFU`, counts halved when next looked at."""

from __future__ import annotations

from typing import Any

from kvtheory._numba import njit_inner
from kvtheory.engine.lists import FRONT, LIST, NUMBER, OWN, SIZE, Memory, first, push, take
from kvtheory.model import IntArray, LongArray
from kvtheory.policies.wtinylfu import SAMPLE

WINDOW, PROBATION, PROTECTED = range(3)
LEAF_LISTS, OWN_COLUMNS = 3, 2
COUNT, HALVED = OWN, OWN + 1
CAPACITY, MAIN, SAMPLED, COUNTED, HALVINGS = range(NUMBER, NUMBER + 5)


def start(memory: Memory, mind: Any) -> None:
    m = memory.m
    m[CAPACITY], m[MAIN], m[SAMPLED] = mind.capacity, mind.main, SAMPLE * mind.capacity


@njit_inner
def count_of(node: IntArray, m: LongArray, v: int) -> int:
    late = m[HALVINGS] - node[v, HALVED]
    if late:
        node[v, COUNT] >>= min(late, 31)
        node[v, HALVED] = m[HALVINGS]
    return int(node[v, COUNT])


@njit_inner
def on_request(node: IntArray, m: LongArray, path: IntArray, length: int, held: int) -> None:
    for i in range(length):
        node[path[i], COUNT] = count_of(node, m, path[i]) + 1
    m[COUNTED] += length
    if m[COUNTED] >= m[SAMPLED]:
        m[HALVINGS] += 1
        m[COUNTED] = 0
    for i in range(held - 1, -1, -1):
        to = WINDOW if node[path[i], LIST] == WINDOW else PROTECTED
        push(node, m, to, path[i])
        if to == PROTECTED and m[SIZE + PROTECTED] > m[MAIN] * 4 // 5:
            push(node, m, PROBATION, m[FRONT + PROTECTED])


@njit_inner
def on_insert(node: IntArray, m: LongArray, v: int) -> None:
    push(node, m, WINDOW, v)
    room = m[SIZE + PROBATION] + m[SIZE + PROTECTED] < m[MAIN]
    if room and m[SIZE + WINDOW] > m[CAPACITY] - m[MAIN]:
        push(node, m, PROBATION, m[FRONT + WINDOW])


@njit_inner
def victim(node: IntArray, m: LongArray, over: int) -> int:
    candidate, resident = first(m, WINDOW, 0), first(m, PROBATION, 0)
    if resident < 0:
        resident = first(m, PROTECTED, 0)
    if candidate < 0 or resident < 0:
        return max(candidate, resident)
    if count_of(node, m, candidate) <= count_of(node, m, resident):
        return candidate
    push(node, m, PROBATION, candidate)
    return resident


@njit_inner
def on_evict(node: IntArray, m: LongArray, v: int) -> None:
    take(node, m, v)
