"""SIEVE, compiled: :class:`kvtheory.policies.sieve.Sieve`, its hand a node instead of a stamp."""

from __future__ import annotations

from typing import Any

from kvtheory._numba import njit_inner
from kvtheory.engine.lists import AFTER, FRESH, NOWHERE, NUMBER, OWN, PLACE, Memory, first, note, push, take
from kvtheory.model import IntArray, LongArray

QUEUE = 0
LEAF_LISTS, OWN_COLUMNS = 1, 1
USED = OWN
HAND, FIRST_FRESH = NUMBER, NUMBER + 1
"""The node at which the hand begins, NOWHERE for the oldest; the first node that this request inserted."""


def start(memory: Memory, mind: Any) -> None:
    memory.m[HAND] = NOWHERE


@njit_inner
def on_request(node: IntArray, m: LongArray, path: IntArray, length: int, held: int) -> None:
    for i in range(held):
        node[path[i], USED] = 1


@njit_inner
def on_insert(node: IntArray, m: LongArray, v: int) -> None:
    if m[FRESH] == 0:
        m[FIRST_FRESH] = v
    push(node, m, QUEUE, v)
    note(m, v, False)


@njit_inner
def victim(node: IntArray, m: LongArray, over: int) -> int:
    place = 0 if m[HAND] < 0 else int(node[m[HAND], PLACE])
    while True:
        found = first(m, QUEUE, place)
        if found < 0:
            found = first(m, QUEUE, 0)
        if not node[found, USED]:
            return found
        node[found, USED] = 0
        place = node[found, PLACE] + 1


@njit_inner
def on_evict(node: IntArray, m: LongArray, v: int) -> None:
    newer = node[v, AFTER]
    m[HAND] = NOWHERE if newer == m[FIRST_FRESH] else newer
    take(node, m, v)
