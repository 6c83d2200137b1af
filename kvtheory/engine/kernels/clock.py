"""CLOCK, compiled: :class:`kvtheory.policies.clock.Clock` line for line."""

from __future__ import annotations

from typing import Any

from kvtheory._numba import njit_inner
from kvtheory.engine.lists import OWN, Memory, first, first_waiting, note, push, take
from kvtheory.model import IntArray, LongArray

QUEUE = 0
LEAF_LISTS, OWN_COLUMNS = 1, 1
USED = OWN


def start(memory: Memory, mind: Any) -> None:
    """Nothing to copy."""


@njit_inner
def on_request(node: IntArray, m: LongArray, path: IntArray, length: int, held: int) -> None:
    for i in range(held):
        node[path[i], USED] = 1


@njit_inner
def on_insert(node: IntArray, m: LongArray, v: int) -> None:
    push(node, m, QUEUE, v)
    note(m, v, False)


@njit_inner
def victim(node: IntArray, m: LongArray, over: int) -> int:
    found = first(m, QUEUE, 0)
    while node[found, USED]:
        node[found, USED] = 0
        push(node, m, QUEUE, found)
        found = first(m, QUEUE, 0)
    push(node, m, QUEUE, first_waiting(m, over))
    return found


@njit_inner
def on_evict(node: IntArray, m: LongArray, v: int) -> None:
    take(node, m, v)
