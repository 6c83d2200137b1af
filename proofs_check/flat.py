"""Flat paging, written from its definition: LRU, and farthest-in-future with or without bypass."""

from __future__ import annotations

from collections.abc import Sequence


def expansion(paths: Sequence[Sequence[int]]) -> list[int]:
    """Each path r1..rd walked down and up again: r1..rd, rd..r1."""
    return [page for path in paths for page in [*path, *reversed(path)]]


def lru_misses(pages: Sequence[int], capacity: int) -> int:
    """Misses of least recently used."""
    order: dict[int, None] = {}
    misses = 0
    for page in pages:
        misses += page not in order
        order.pop(page, None)
        order[page] = None
        if len(order) > capacity:
            del order[next(iter(order))]
    return misses


def farthest_misses(pages: Sequence[int], capacity: int) -> int:
    """Misses of farthest-in-future, the optimum of flat paging [Belady1966]_."""
    cached: set[int] = set()
    misses = 0
    for i, page in enumerate(pages):
        if page in cached:
            continue
        misses += 1
        if len(cached) == capacity:
            rest = pages[i + 1 :]
            cached.remove(max(cached, key=lambda q: rest.index(q) if q in rest else len(rest)))
        cached.add(page)
    return misses
