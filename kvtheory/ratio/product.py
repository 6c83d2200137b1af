"""Pairs of a player's state and OPT's work function, explored from the empty cache up to symmetry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from kvtheory._numba import njit
from kvtheory.mix import mixed
from kvtheory.model import IntArray, LongArray
from kvtheory.ratio.symmetry import Permutation
from kvtheory.ratio.work_function import WorkFunctions, rows_as_bytes


class Player(Protocol):
    """An online algorithm's states up to symmetry; see :class:`kvtheory.ratio.automaton.Automaton`."""

    @property
    def next(self) -> IntArray: ...
    @property
    def cost(self) -> Any: ...
    @property
    def scale(self) -> int: ...
    @property
    def turn(self) -> IntArray: ...
    @property
    def turns(self) -> tuple[Permutation, ...]: ...
    @property
    def symmetry(self) -> IntArray: ...
    @property
    def stabilisers(self) -> tuple[tuple[Permutation, ...], ...]: ...
    @property
    def orbit(self) -> tuple[int, ...]: ...
    @property
    def complete(self) -> bool: ...
    @property
    def start(self) -> Any: ...
    def serve(self, state: Any, v: int) -> Any: ...
    def locate(self, state: Any) -> tuple[int, Permutation]: ...


@dataclass(frozen=True, eq=False)
class Product:
    """Reachable pairs in the order of discovery, requests ascending; 0 is the empty cache.

    Attributes:
        player: int32, shape (N,): the player's state of each pair.
        work: int32, shape (N,): the work function of each pair, least of its orbit.
        target: int32, shape (N, R): the pair after request r; -1 where a budget ended.
    """

    player: IntArray
    work: IntArray
    target: IntArray

    def __len__(self) -> int:
        return len(self.player)

    @property
    def transitions(self) -> int:
        """Explored edges."""
        return int((self.target >= 0).sum())


class Turner:
    """Work functions under permutations of the nodes.

    Args:
        work: the work functions, a set closed under the permutations asked for.
    """

    def __init__(self, work: WorkFunctions) -> None:
        self.work = work
        self._identity = np.arange(len(work), dtype=np.int32)
        self._turned: dict[Permutation, IntArray] = {}
        self._least: dict[tuple[Permutation, ...], IntArray] = {(): self._identity}

    def turned(self, image: Permutation) -> IntArray:
        """Number of each work function after the permutation, int32, shape (Q,)."""
        if all(v == to for v, to in enumerate(image)):
            return self._identity
        if image not in self._turned:
            instance = self.work.instance
            moved = [instance.index[move(mask, image)] for mask in instance.closed.tolist()]
            value = np.empty_like(self.work.value)
            value[:, moved] = self.work.value
            index = self.work.index
            self._turned[image] = np.array([index[row] for row in rows_as_bytes(value)], dtype=np.int32)
        return self._turned[image]

    def least(self, generators: tuple[Permutation, ...]) -> IntArray:
        """The least number in the orbit of each work function under a group, int32, shape (Q,)."""
        if generators not in self._least:
            label, tables = self._identity.copy(), [self.turned(image) for image in generators]
            while True:
                before = label.copy()
                for table in tables:
                    smaller = np.minimum(label, label[table])
                    label = smaller.copy()
                    np.minimum.at(label, table, smaller)
                if (label == before).all():
                    break
            self._least[generators] = label
        return self._least[generators]


def move(mask: int, image: Permutation) -> int:
    """A cache state with its nodes permuted."""
    moved, v = 0, 1
    while mask:
        if mask & 1:
            moved |= 1 << image[v] - 1
        mask, v = mask >> 1, v + 1
    return moved


def turn_tables(player: Player, turner: Turner) -> tuple[IntArray, IntArray]:
    """What each transition of the player does to the work function besides the request.

    Returns:
        For each (state, request) a row number, int32, shape (P, R), and the rows, int32, shape (C, Q).
    """
    row_of = np.zeros(player.next.shape, dtype=np.int32)
    after = np.where(player.next >= 0, player.symmetry[player.next], 0)
    kinds, inverse = np.unique(
        np.stack([player.turn.reshape(-1), after.reshape(-1)]), axis=1, return_inverse=True
    )
    row_of[:] = inverse.reshape(player.next.shape)
    rows = [turner.least(player.stabilisers[s])[turner.turned(player.turns[t])] for t, s in kinds.T.tolist()]
    return row_of, np.stack(rows)


def product(player: Player, turner: Turner, budget: int) -> Product:
    """Explore the pairs, breadth first, keeping at most `budget` of them."""
    row_of, rows = turn_tables(player, turner)
    pairs, target = _explore(player.next, turner.work.next, row_of, rows, budget)
    functions = len(turner.work)
    return Product((pairs // functions).astype(np.int32), (pairs % functions).astype(np.int32), target)


def concrete_states(found: Product, player: Player, turner: Turner) -> int:
    """How many pairs of the concrete tree the pairs stand for."""
    total = 0
    for s in np.unique(player.symmetry):
        least = turner.least(player.stabilisers[s])
        size = np.bincount(least, minlength=len(least))
        mine = np.flatnonzero(player.symmetry[found.player] == s)
        copies = np.array([player.orbit[p] for p in found.player[mine]], dtype=object)
        total += int((copies * size[found.work[mine]]).sum())
    return total


@njit
def _explore(
    next_player: IntArray, next_work: IntArray, row_of: IntArray, rows: IntArray, budget: int
) -> tuple[LongArray, IntArray]:
    requests = next_player.shape[1]
    functions = next_work.shape[0]
    room = 1 << 12
    slots = np.full(2 * room, -1, np.int32)
    pairs = np.zeros(room, np.int64)
    target = np.full((room, requests), -1, np.int32)
    slots[_slot(slots, pairs, 0)] = 0
    count, at = 1, 0
    while at < count:
        if count + requests > room:
            room *= 2
            larger = np.zeros(room, np.int64)
            larger[:count] = pairs[:count]
            pairs = larger
            wider = np.full((room, requests), -1, np.int32)
            wider[:count] = target[:count]
            target = wider
            slots = np.full(2 * room, -1, np.int32)
            for i in range(count):
                slots[_slot(slots, pairs, pairs[i])] = i
        p, w = pairs[at] // functions, pairs[at] % functions
        for r in range(requests):
            to = next_player[p, r]
            if to < 0:
                continue
            pair = np.int64(to) * functions + rows[row_of[p, r], next_work[w, r]]
            slot = _slot(slots, pairs, pair)
            if slots[slot] < 0:
                if count >= budget:
                    continue
                slots[slot] = count
                pairs[count] = pair
                count += 1
            target[at, r] = slots[slot]
        at += 1
    return pairs[:count].copy(), target[:count].copy()


@njit
def _slot(slots: IntArray, pairs: LongArray, pair: int) -> np.int64:
    """Where a pair is in the hash table, or belongs."""
    mask = slots.size - 1
    at: np.int64 = np.int64(mixed(np.uint64(pair), np.uint64(0)) & np.uint64(mask))
    while slots[at] >= 0 and pairs[slots[at]] != pair:
        at = (at + 1) & mask
    return at
