"""Who caches what: the caches of a cluster's workers, and the belief of a router about them.

Both answer the same question in one walk from a prompt's tip to the root: how much of it does every worker
hold? For each node a word of bits, one for each worker, is all they need for it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kvtheory._numba import njit
from kvtheory.engine.codegen import load_kernel
from kvtheory.engine.live_table import Fleet, Table
from kvtheory.errors import InputError
from kvtheory.model import IntArray, PrefixTree
from kvtheory.policy import Policy, Trait
from kvtheory.rng import worker_seeds

Bits = npt.NDArray[np.uint64]


@njit
def match(holders: Bits, above: IntArray, v: int, found: IntArray) -> None:
    """Write to `found` the deepest node of the path of `v` that each worker holds; 0 for none."""
    words = holders.shape[1]
    found[:] = 0
    for word in range(words):
        seen = np.uint64(0)
        first = word * 64
        everybody = found.size - first
        missing = ~np.uint64(0) if everybody >= 64 else (np.uint64(1) << np.uint64(everybody)) - np.uint64(1)
        u = v
        while u > 0 and missing:
            seen = holders[u, word] & missing
            if seen:
                missing &= ~seen
                w = first
                while seen:
                    if seen & np.uint64(1):
                        found[w] = u
                    seen >>= np.uint64(1)
                    w += 1
            u = above[u]


@njit
def record(holders: Bits, above: IntArray, v: int, w: int) -> int:
    """Worker `w` holds the path of `v`; the deepest node of it that it held before, 0 for none."""
    bit = np.uint64(1) << np.uint64(w & 63)
    u = v
    while u > 0 and not holders[u, w >> 6] & bit:
        holders[u, w >> 6] |= bit
        u = above[u]
    return u


class PrefixIndex:
    """What was sent where, and never forgotten: a router's guess at the caches.

    Args:
        tree: the prompts.
        workers: how many there are.
    """

    def __init__(self, tree: PrefixTree, workers: int) -> None:
        self.tree, self.workers = tree, workers
        self.holders: Bits = np.zeros((tree.n + 1, -(-workers // 64)), np.uint64)
        self._found = np.zeros(workers, np.int32)

    def match(self, v: int) -> IntArray:
        """Deepest node of the path of `v` at each worker, 0 for none; int32, overwritten by the next call."""
        match(self.holders, self.tree.parent, v, self._found)
        return self._found

    def serve(self, worker: int, v: int) -> int:
        """The prompt `v` goes to a worker; the deepest node of it that was thought to be there."""
        return int(record(self.holders, self.tree.parent, v, worker))

    def forget(self, worker: int, nodes: list[int]) -> None:
        """A worker has lost some nodes, each named once, and everything below them."""
        self.holders[nodes, worker >> 6] &= ~(np.uint64(1) << np.uint64(worker & 63))

    def clear(self, worker: int) -> None:
        """A worker has lost everything."""
        self.holders[:, worker >> 6] &= ~(np.uint64(1) << np.uint64(worker & 63))


def require_room(workers: int, capacity: int) -> None:
    """Raise InputError if there is no worker, or no room for one node."""
    if workers < 1 or capacity < 1:
        raise InputError("there must be a worker, and room for a node", field="workers, capacity")


class Caches(PrefixIndex):
    """One cache for each worker, under one policy; equal to the reference engine, victim for victim.

    Args:
        tree: the prompts.
        workers: how many caches there are.
        capacity: nodes that each may hold.
        policy: who chooses the victims.
        seed: of every draw; each worker has its own (:func:`~kvtheory.rng.worker_seeds`).

    Raises:
        InputError: if there is no worker, or no room for one node.
    """

    def __init__(
        self, tree: PrefixTree, workers: int, capacity: int, policy: type[Policy], seed: int = 0
    ) -> None:
        require_room(workers, capacity)
        super().__init__(tree, workers)
        self.policy, self.capacity = policy, capacity
        self._kernel = load_kernel(policy, "fleet", policy.traits)
        capacity = min(capacity, tree.n + 1)
        phases, full = Trait.PHASES in policy.traits, Trait.FULL in policy.traits
        # cached nodes, a path on its way in, marked nodes that are not cached
        slots = 2 + (2 + phases + full) * capacity
        shape = (workers, slots)
        self._fleet = Fleet(
            table=Table(
                parent=np.zeros(shape, np.int32),
                depth=np.zeros(shape, np.int32),
                resident=np.zeros(shape, np.int8),
                children=np.zeros(shape, np.int32),
                pins=np.zeros(shape, np.int32),
                inserted=np.zeros(shape, np.int64),
                columns=np.zeros((workers, len(policy.columns), slots), np.int64),
                marked=np.zeros(shape, np.int8),
                candidates=np.zeros(shape, np.int32),
                place=np.full(shape, -1, np.int32),
                marked_order=np.zeros((workers, capacity * (phases + full)), np.int32),
                path=np.zeros((workers, capacity * full), np.int32),
                counters=np.zeros((workers, 7), np.int64),
                random=np.array(worker_seeds(seed, workers), np.uint64)[:, None],
            ),
            node=np.zeros(shape, np.int32),
            bucket=np.zeros((workers, 1 << (2 * slots).bit_length()), np.int32),
            free=np.zeros(shape, np.int32),
            unused=np.zeros(workers, np.int64),
            size=np.zeros(workers, np.int64),
            capacity=np.array([capacity]),
            holders=self.holders.view(np.int64),
            above=tree.parent,
            path=np.zeros(slots, np.int32),
            dead=np.zeros(2 * slots, np.int32),
            victims=np.zeros(slots + tree.height, np.int32),
        )
        for worker in range(workers):
            self._empty(worker)

    def serve(self, worker: int, v: int) -> int:
        """A worker serves the prompt `v`, no deeper than the capacity; its hit, as a node, 0 for none."""
        return int(self._kernel.visit(self._fleet, worker, v))

    def clear(self, worker: int) -> None:
        """A worker returns empty; its draws go on."""
        super().clear(worker)
        random = self._fleet.table.random[worker].copy()
        for array in (*self._fleet.table, self._fleet.node, self._fleet.bucket):
            array[worker] = 0
        self._fleet.table.place[worker] = -1
        self._fleet.table.random[worker] = random
        self._empty(worker)

    def _empty(self, worker: int) -> None:
        slots = self._fleet.free.shape[1]
        self._fleet.free[worker, : slots - 1] = np.arange(slots - 1, 0, -1)
        self._fleet.unused[worker] = slots - 1
        self._fleet.size[worker] = 0

    def held(self, worker: int) -> set[int]:
        """The nodes that a worker caches."""
        here = self.holders[:, worker >> 6] >> np.uint64(worker & 63) & np.uint64(1)
        return set(np.flatnonzero(here).tolist())
