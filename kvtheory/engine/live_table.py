"""The arrays of a live cache: one class for all policies.

Were it part of every generated kernel, numba would take its fast way of calling only for the kernel that a
process loads first: measured, 6 microseconds a call against 150.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Table(NamedTuple):
    """Everything the future depends on.

    Attributes:
        parent, depth, resident, children, pins: of each slot; `children` counts cached ones, `pins` the
            blocks of the node that a request is using.
        inserted, columns, marked: what the policy's rank and ties read.
        candidates, place: the evictable leaves, and where each slot stands among them, -1 for nowhere. A heap
            by rank if the policy is ranked and TOUCH, else a list in the order of :mod:`kvtheory.model`.
        marked_order: marked slots in the order of marking, shape (capacity,); twice that under FULL.
        path: under FULL the path that was served last, shape (capacity,).
        counters: number of candidates, of marks, of insertions, of requests, of phases ended early, of
            rescues, and the length of `path`.
        random: state of the generator.
    """

    parent: Any
    depth: Any
    resident: Any
    children: Any
    pins: Any
    inserted: Any
    columns: Any
    marked: Any
    candidates: Any
    place: Any
    marked_order: Any
    path: Any
    counters: Any
    random: Any
