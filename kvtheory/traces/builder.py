"""Hashed block ids become the numbered nodes of a prefix tree, one chunk of requests at a time.

The id -> node map is an open-addressing table of node numbers: the key of a slot is read back from the
node's own arrays, so that a node costs its id, its parent, its tokens and two to six slots of 4 bytes.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kvtheory._numba import njit
from kvtheory.errors import InputError
from kvtheory.mix import mixed
from kvtheory.model import IntArray, LongArray

MAX_NODES = 2**31 - 2
_NONE: LongArray = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class Conflict:
    """An id that came below a second parent.

    Attributes:
        row: the request in the chunk.
        id: the id.
        parent: the id above it here; -1 for the root.
        known_parent: the id above it where it came first; -1 for the root.
        repeated: whether the id is twice in this one path.
    """

    row: int
    id: int
    parent: int
    known_parent: int
    repeated: bool


class TreeBuilder:
    """Numbers nodes 1, 2, ... in order of first appearance.

    Args:
        block_size: tokens in a full block.
        split: whether one id below two parents is two nodes (else it is a :class:`Conflict`).
    """

    def __init__(self, block_size: int, *, split: bool = False) -> None:
        self.block_size, self.split = block_size, split
        self.count = 0
        self._ids: LongArray = np.full(1, -1, dtype=np.int64)
        self._parent: IntArray = np.full(1, -1, dtype=np.int32)
        self._tokens: IntArray = np.zeros(1, dtype=np.int32)
        self._slots: IntArray = np.zeros(1 << 12, dtype=np.int32)
        self._requests = array("i")

    def add(
        self,
        ids: LongArray,
        lengths: LongArray,
        input_lengths: LongArray = _NONE,
        block_tokens: LongArray = _NONE,
    ) -> Conflict | None:
        """Add the requests of a chunk; the first conflict, if there is one, ends it.

        Args:
            ids: int64, shape (sum of `lengths`,): the paths, root to tip, one after the other.
            lengths: int64, shape (rows,): blocks in each path.
            input_lengths: int64, shape (rows,): tokens in each path; empty: every block is full.
            block_tokens: int64, shape as `ids`: tokens in each block; empty: see `input_lengths`.

        Raises:
            InputError: if there are more than `MAX_NODES` nodes.
        """
        self._reserve(self.count + ids.size)
        served = np.empty(lengths.size, dtype=np.int32)
        self.count, row, at, node = _add(
            self._slots, self._ids, self._parent, self._tokens, self.count,
            ids, lengths, input_lengths, block_tokens, self.block_size, self.split, served,
        )  # fmt: skip
        if row < 0:
            self._requests.frombytes(served.tobytes())
            return None
        start = int(lengths[:row].sum())
        return Conflict(
            row=row,
            id=int(ids[at]),
            parent=int(ids[at - 1]) if at > start else -1,
            known_parent=int(self._ids[self._parent[node]]),
            repeated=bool((ids[start:at] == ids[at]).any()),
        )

    def finish(self) -> tuple[IntArray, IntArray, LongArray, IntArray]:
        """Return the parents, tokens and ids of the nodes, shape (n+1,), and the requests, shape (N,)."""
        for owned in (self._parent, self._tokens, self._ids):
            owned.resize(self.count + 1, refcheck=False)
        requests = np.array(self._requests, dtype=np.int32)
        return self._parent, self._tokens, self._ids, requests

    def _reserve(self, nodes: int) -> None:
        """Make room for nodes 1..`nodes`, so that the kernel never grows anything."""
        if nodes > MAX_NODES:
            raise InputError(f"more than {MAX_NODES} different blocks", field="hash_ids")
        if nodes >= self._ids.size:
            size = min(2 * nodes, MAX_NODES) + 1
            self._ids = _grown(self._ids, size)
            self._parent = _grown(self._parent, size)
            self._tokens = _grown(self._tokens, size)
        if 3 * nodes > 2 * self._slots.size:
            self._slots = np.zeros(1 << (2 * nodes).bit_length(), dtype=np.int32)
            _rehash(self._slots, self._ids, self._parent, self.count, self.split)


def _grown(values: npt.NDArray[np.signedinteger], size: int) -> npt.NDArray[np.signedinteger]:
    grown = np.empty(size, dtype=values.dtype)
    grown[: values.size] = values
    return grown


@njit
def _home(key: int, parent: int, mask: int) -> np.int64:
    return np.int64(mixed(np.uint64(key), np.uint64(parent)) & np.uint64(mask))


@njit
def _rehash(slots: IntArray, ids: LongArray, parent: IntArray, count: int, split: bool) -> None:
    mask = slots.size - 1
    for v in range(1, count + 1):
        slot = _home(ids[v], parent[v] if split else 0, mask)
        while slots[slot] != 0:
            slot = (slot + 1) & mask
        slots[slot] = v


@njit
def _add(
    slots: IntArray, ids: LongArray, parent: IntArray, tokens: IntArray, count: int,
    new_ids: LongArray, lengths: LongArray, input_lengths: LongArray, block_tokens: LongArray,
    block_size: int, split: bool, requests: IntArray,
) -> tuple[int, int, int, int]:  # fmt: skip
    mask = slots.size - 1
    at = 0
    for row in range(lengths.size):
        node = 0
        end = at + lengths[row]
        last = block_size
        if input_lengths.size:
            last = min(block_size, max(1, input_lengths[row] - block_size * (lengths[row] - 1)))
        while at < end:
            key = new_ids[at]
            v = node + 1  # the child that came first is most often the next number: no probe
            if v > count or ids[v] != key or parent[v] != node:
                slot = _home(key, node if split else 0, mask)
                v = slots[slot]
                while v != 0 and (ids[v] != key or (split and parent[v] != node)):
                    slot = (slot + 1) & mask
                    v = slots[slot]
                if v == 0:
                    count += 1
                    v = count
                    slots[slot] = v
                    ids[v], parent[v], tokens[v] = key, node, 0
                elif parent[v] != node:
                    return count, row, at, v
            held = block_size if at < end - 1 else last
            if block_tokens.size:
                held = block_tokens[at]
            tokens[v] = max(tokens[v], held)
            node = v
            at += 1
        requests[row] = node
    return count, -1, -1, -1
