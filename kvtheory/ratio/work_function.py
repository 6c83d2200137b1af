"""OPT as a finite automaton: normalised work functions and how requests move them. [Borodin1992]_

The work function w(S) is the least cost of serving the requests so far and ending in cache state S, where a
node may also be prefetched at unit cost: that changes no optimum (a prefetch can wait for the request) and
keeps w within `capacity` of its minimum. At first w(S) = |S|; a request for v gives

    w'(S) = min over closed X containing the path of v of  w(X) + |S minus X|.

OPT is the minimum of w; normalised work functions have minimum 0 and are finitely many.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from kvtheory._numba import njit
from kvtheory.errors import LimitError
from kvtheory.model import IntArray
from kvtheory.ratio.instance import Instance

Bytes = npt.NDArray[np.uint8]
NEVER = 255
BATCH_BYTES = 1 << 26
MOST_BYTES = 1 << 31


@dataclass(frozen=True, eq=False)
class WorkFunctions:
    """The automaton of normalised work functions, in the order of discovery; 0 is the empty cache's.

    Attributes:
        instance: the game.
        value: uint8, shape (Q, M): `value[q, i]` is the normalised work function q at `instance.closed[i]`.
        next: int32, shape (Q, R): the work function after request r.
        increase: int32, shape (Q, R): by how much OPT grows.
    """

    instance: Instance
    value: Bytes
    next: IntArray
    increase: IntArray

    def __len__(self) -> int:
        return len(self.value)

    @cached_property
    def index(self) -> dict[bytes, int]:
        """Number of each work function, by the bytes of its values."""
        return {row: q for q, row in enumerate(rows_as_bytes(self.value))}


def work_functions(instance: Instance, budget: int = 1_000_000) -> WorkFunctions:
    """Explore from the empty cache, breadth first, requests ascending.

    Args:
        instance: the game.
        budget: most work functions to keep.

    Raises:
        LimitError: if there are more, or they need more than 2 GiB.
    """
    sets, requests = len(instance.closed), len(instance.requestable)
    paths = np.array([instance.paths[v] for v in instance.requestable], dtype=np.int64)
    holds = (instance.closed[None, :] & paths[:, None]) == paths[:, None]
    low, high = instance.steps
    start = np.array([[mask.bit_count() for mask in instance.closed.tolist()]], dtype=np.uint8)
    index = {start.tobytes(): 0}
    chunks, nexts, increases = [start], [], []
    frontier = start
    while len(frontier):
        fresh = []
        batch = max(1, BATCH_BYTES // (sets * requests))
        for first in range(0, len(frontier), batch):
            after, increase = advance(frontier[first : first + batch], holds, low, high)
            rows = rows_as_bytes(after.reshape(-1, sets))
            target = np.empty(len(rows), dtype=np.int32)
            for i, row in enumerate(rows):
                known = index.get(row)
                if known is None:
                    known = index[row] = len(index)
                    fresh.append(row)
                target[i] = known
            nexts.append(target.reshape(-1, requests))
            increases.append(increase)
            if len(index) > budget or len(index) * sets > MOST_BYTES:
                raise LimitError(f"more than {min(budget, MOST_BYTES // sets):,} work functions")
        frontier = np.frombuffer(b"".join(fresh), dtype=np.uint8).reshape(-1, sets)
        chunks.append(frontier)
    return WorkFunctions(instance, np.concatenate(chunks), np.concatenate(nexts), np.concatenate(increases))


def rows_as_bytes(values: Bytes) -> list[bytes]:
    """Each row of a two-dimensional array as bytes, trailing zeros included."""
    width, flat = values.shape[1], np.ascontiguousarray(values).tobytes()
    return [flat[i : i + width] for i in range(0, len(flat), width)]


@njit
def advance(
    work: Bytes, holds: npt.NDArray[np.bool_], low: IntArray, high: IntArray
) -> tuple[Bytes, IntArray]:
    """Every work function after every request: (F, R, M) normalised values, and (F, R) increases.

    From X to S one drops nodes first, leaf by leaf, then loads: two passes over the pairs of neighbours.
    """
    functions, sets = work.shape
    requests = holds.shape[0]
    after = np.empty((functions, requests, sets), np.uint8)
    increase = np.empty((functions, requests), np.int32)
    for q in range(functions):
        for r in range(requests):
            w = after[q, r]
            for i in range(sets):
                w[i] = work[q, i] if holds[r, i] else NEVER
            for e in range(low.size - 1, -1, -1):
                if w[high[e]] < w[low[e]]:
                    w[low[e]] = w[high[e]]
            for e in range(low.size):
                if w[low[e]] + 1 < w[high[e]]:
                    w[high[e]] = w[low[e]] + 1
            least = NEVER
            for i in range(sets):
                least = min(least, w[i])
            for i in range(sets):
                w[i] -= least
            increase[q, r] = least
    return after, increase
