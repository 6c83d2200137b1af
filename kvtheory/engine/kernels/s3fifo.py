"""S3-FIFO, compiled: :class:`kvtheory.policies.s3fifo.S3FIFO` line for line."""

from __future__ import annotations

from typing import Any

from kvtheory._numba import njit_inner
from kvtheory.engine.lists import (
    LIST,
    NUMBER,
    OWN,
    SIZE,
    Memory,
    first,
    first_waiting,
    note,
    pop,
    push,
    take,
    waiting,
)
from kvtheory.model import IntArray, LongArray
from kvtheory.policies.s3fifo import MOST, PROMOTE

SMALL, MAIN, GHOST = range(3)
LEAF_LISTS, OWN_COLUMNS = 2, 1
HITS = OWN
CAPACITY, SHARE, EVICTED, ENOUGH, COUNTED = range(NUMBER, NUMBER + 5)
"""The last two: hits that promote, hits that count."""


def start(memory: Memory, mind: Any) -> None:
    m = memory.m
    m[CAPACITY], m[SHARE], m[ENOUGH], m[COUNTED] = mind.capacity, mind.share, PROMOTE, MOST


@njit_inner
def on_request(node: IntArray, m: LongArray, path: IntArray, length: int, held: int) -> None:
    for i in range(held):
        node[path[i], HITS] += 1


@njit_inner
def on_insert(node: IntArray, m: LongArray, v: int) -> None:
    evicted = m[EVICTED] or m[SIZE + SMALL] + m[SIZE + MAIN] >= m[CAPACITY]
    small = node[v, LIST] != GHOST and (evicted or m[SIZE + SMALL] < m[SHARE])
    push(node, m, SMALL if small else MAIN, v)
    node[v, HITS] = 0
    note(m, v, small)


@njit_inner
def from_small(node: IntArray, m: LongArray) -> int:
    found = first(m, SMALL, 0)
    while found >= 0 and node[found, HITS] >= m[ENOUGH]:
        push(node, m, MAIN, found)
        node[found, HITS] = 0
        found = first(m, SMALL, 0)
    return found


@njit_inner
def from_main(node: IntArray, m: LongArray) -> int:
    found = first(m, MAIN, 0)
    while found >= 0 and node[found, HITS]:
        node[found, HITS] = min(node[found, HITS], m[COUNTED]) - 1
        push(node, m, MAIN, found)
        found = first(m, MAIN, 0)
    return found


@njit_inner
def victim(node: IntArray, m: LongArray, over: int) -> int:
    m[EVICTED] = 1
    in_small = m[SIZE + SMALL] - waiting(m, over)
    in_main = m[SIZE + SMALL] + m[SIZE + MAIN] - over - in_small
    main_first = in_main > m[CAPACITY] - m[SHARE] or in_small == 0
    found = from_main(node, m) if main_first else from_small(node, m)
    if found < 0:
        found = from_small(node, m) if main_first else from_main(node, m)
    late = first_waiting(m, over)
    push(node, m, node[late, LIST], late)
    return found


@njit_inner
def on_evict(node: IntArray, m: LongArray, v: int) -> None:
    if node[v, LIST] == MAIN:
        take(node, m, v)
        return
    push(node, m, GHOST, v)
    if m[SIZE + GHOST] > max(1, m[CAPACITY] * 9 // 10):
        pop(node, m, GHOST)
