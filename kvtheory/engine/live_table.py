"""The arrays of live caches, of one and of many: one class each for all policies.

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
            by rank if the policy is ranked and TOUCH or RECENCY, else a list in the order of
            :mod:`kvtheory.model`.
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


class Fleet(NamedTuple):
    """The caches of many workers over one tree.

    Attributes:
        table: the arrays of :class:`Table`, each with a leading axis over the workers.
        node: node of each slot, 0 for none; int32, shape (workers, slots).
        bucket: hash table from node to slot; int32, shape (workers, a power of two).
        free, unused: a stack of slots without a node, and its height.
        size: cached nodes of each worker.
        capacity: nodes that each worker may cache, shape (1,).
        holders: bit `w % 64` of `holders[v, w // 64]` says that worker `w` caches node `v`; uint64.
        above: parent of each node of the tree, int32, shape (n+1,).
        path, dead, victims: room to work in.
    """

    table: Table
    node: Any
    bucket: Any
    free: Any
    unused: Any
    size: Any
    capacity: Any
    holders: Any
    above: Any
    path: Any
    dead: Any
    victims: Any
