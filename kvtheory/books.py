"""What routers keep book of: amounts in flight, blocks in use, rings of hashes; and how they break ties."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from kvtheory._numba import njit
from kvtheory.engine.fleet import Bits, Caches, PrefixIndex
from kvtheory.errors import InputError
from kvtheory.model import Floats, IntArray, LongArray, PrefixTree
from kvtheory.policies.lru import LeafLRU
from kvtheory.rng import SplitMix64
from kvtheory.router import View

Index = Literal["seen", "believed"]
Mask = npt.NDArray[np.bool_]

if TYPE_CHECKING:
    from collections.abc import Iterable


def index_of(view: View, kind: Index) -> PrefixIndex:
    """A new index of what is sent where: `seen` forgets nothing, `believed` what a leaf-LRU cache would."""
    if kind == "seen":
        return PrefixIndex(view.tree, view.workers)
    return Caches(view.tree, view.workers, view.capacity, LeafLRU)


def require(condition: bool, router: str, option: str, message: str) -> None:
    """Raise InputError about an option unless the condition holds."""
    if not condition:
        raise InputError(message, file=router, field=option)


def least(allowed: Mask, *keys: npt.NDArray[Any]) -> LongArray:
    """The allowed workers of least first key, of those the ones of least second key, and so on; in order."""
    found = np.flatnonzero(allowed)
    for key in keys:
        values = key[found]
        found = found[values == values.min()]
    return found


class Ledger:
    """An amount for each request on its way, and their sum at each worker.

    Attributes:
        total: float64, shape (workers,): exactly 0 where nothing is on its way.
        count: int64, shape (workers,): requests on their way.
    """

    def __init__(self, workers: int) -> None:
        self.total: Floats = np.zeros(workers)
        self.count: LongArray = np.zeros(workers, np.int64)
        self._of: dict[int, tuple[int, float]] = {}

    def add(self, request: int, worker: int, amount: float) -> None:
        """The request goes to a worker."""
        self._of[request] = (worker, amount)
        self.total[worker] += amount
        self.count[worker] += 1

    def remove(self, request: int) -> None:
        """The request is over; nothing where it was already."""
        worker, amount = self._of.pop(request, (-1, 0.0))
        if worker >= 0:
            self.count[worker] -= 1
            self.total[worker] = self.total[worker] - amount if self.count[worker] else 0.0

    def lose(self, requests: Iterable[int]) -> None:
        """The requests are lost."""
        for request in requests:
            self.remove(request)


@njit
def release(active: Bits, shared: Bits, above: IntArray, v: int, w: int) -> int:
    """Free the path of `v` at worker `w` up to the first node that others use, too; that node, 0 for none."""
    word, bit = w >> 6, np.uint64(1) << np.uint64(w & 63)
    u = v
    while u > 0 and not shared[u, word] & bit:
        active[u, word] &= ~bit
        u = above[u]
    return u


class ActiveBlocks:
    """The blocks that running requests use at each worker, counted once however many requests share them.

    Args:
        tree: the prompts.
        workers: how many there are.

    Attributes:
        count: int64, shape (workers,).
    """

    def __init__(self, tree: PrefixTree, workers: int) -> None:
        self.count: LongArray = np.zeros(workers, np.int64)
        self._depth, self._above = tree.depth, tree.parent
        self._active = PrefixIndex(tree, workers)
        self._shared: Bits = np.zeros_like(self._active.holders)
        self._of: dict[int, tuple[int, int]] = {}
        # users of a node beyond the first: requests that end there, and children in use
        self._more: list[dict[int, int]] = [{} for _ in range(workers)]

    def new(self, v: int) -> LongArray:
        """Blocks that a request for `v` would add at each worker, shape (workers,)."""
        added: LongArray = self._depth[v] - self._depth[self._active.match(v)].astype(np.int64)
        return added

    def add(self, request: int, worker: int, v: int) -> None:
        """A request runs at a worker."""
        self._of[request] = (worker, v)
        known = self._active.serve(worker, v)
        self.count[worker] += self._depth[v] - self._depth[known]
        if known:
            more = self._more[worker]
            more[known] = more.get(known, 0) + 1
            self._shared[known, worker >> 6] |= np.uint64(1) << np.uint64(worker & 63)

    def remove(self, request: int) -> None:
        """A request is over."""
        worker, v = self._of.pop(request)
        known = release(self._active.holders, self._shared, self._above, v, worker)
        self.count[worker] -= self._depth[v] - self._depth[known]
        if known:
            more = self._more[worker]
            more[known] -= 1
            if not more[known]:
                del more[known]
                self._shared[known, worker >> 6] &= ~(np.uint64(1) << np.uint64(worker & 63))


def scramble(key: int) -> int:
    """A 64-bit hash of an integer: the first output of SplitMix64 started there."""
    return SplitMix64(key).next()


@njit
def clockwise(points: Bits, owners: IntArray, key: np.uint64, allowed: Mask) -> int:
    """The first allowed owner of a point at `key` or after it, around the ring."""
    start = np.searchsorted(points, key)
    for step in range(points.size):
        owner = owners[(start + step) % points.size]
        if allowed[owner]:
            return int(owner)
    return -1


@cache
def _placed(workers: int, points: int) -> tuple[Bits, IntArray]:
    places = sorted((scramble(scramble(w) + j), w) for w in range(workers) for j in range(points))
    return np.array([place for place, _ in places], np.uint64), np.array([w for _, w in places], np.int32)


class Ring:
    """Workers at pseudo-random points of a ring of 64-bit numbers: consistent hashing [Karger1997]_.

    Where a worker is depends on its number alone, so that keys move only from and to the workers that come
    and go.

    Args:
        workers: how many there are.
        points: of each.
    """

    def __init__(self, workers: int, points: int) -> None:
        self.points, self.owners = _placed(workers, points)

    def owner(self, key: int, allowed: Mask) -> int:
        """The allowed worker that is nearest clockwise to the hash of a key."""
        return int(clockwise(self.points, self.owners, np.uint64(scramble(key)), allowed))


@njit
def head(above: IntArray, depth: IntArray, v: int, nodes: int) -> int:
    """The node at which the first `nodes` nodes of the path of `v` end, or `v`."""
    while depth[v] > nodes:
        v = above[v]
    return int(v)
