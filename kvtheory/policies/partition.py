"""Partition, the first paging algorithm of optimal ratio, on trees."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kvtheory.model import LongArray
from kvtheory.object_policy import Key
from kvtheory.policy import Claim
from kvtheory.rng import SplitMix64
from kvtheory.transfer import Pager, Transferred

HELD = 1 << 60
NOBODY = None


class PartitionPager(Pager):
    """Partition on a flat cache. [McGeoch1991]_

    Pages are in sets S_1, S_2, ..., S_top, or outside. S_top was requested since OPT last had to fault, and
    is held. Below it, for each i, a uniformly random subset R_i of R_(i-1) and S_i together goes on to the
    next set, as many as OPT can hold of S_1, ..., S_i; R_(top-1) is held. A request

    - for a page outside is a fault of OPT: S_top becomes a set like the others, of which all held pages but
      one go on, and the page is the new S_top;
    - for a page of S_i takes it to S_top; R_i and all above hold one less. Where the page was not in R_j, a
      random one of R_j falls out in its place, and so on up to the page that is evicted;
    - that leaves none for R_i puts S_1, ..., S_i outside.

    While there is room, every page goes to S_top.

    Attributes:
        birth: int64, by slot: the set of the page that has it; HELD where nobody has it.
        death: int64, by slot: the first R_i that the page is not in; HELD if it is held.
        limits: int64: the sizes of R_first, ..., R_(top-1), then zeros.
    """

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self.slot: dict[Key, int] = {}
        self.key: list[Key] = [NOBODY] * 8
        self.unused: list[int] = list(range(8))
        self.held: list[int] = []
        self.place: dict[int, int] = {}
        """Of each slot whose page is held, where it is in that list."""
        self.birth: LongArray = np.full(8, HELD)
        self.death: LongArray = np.full(8, HELD)
        self.limits: LongArray = np.zeros(8, np.int64)
        self.first = self.top = 0

    def __contains__(self, key: object) -> bool:
        return self.slot.get(key, -1) in self.place

    def serve(self, path: Sequence[Key], rng: SplitMix64) -> list[Key]:
        """The path down, on which OPT may have to fault, and up again, on which it need not."""
        lost: dict[Key, None] = {}
        for v in (*path, *reversed(path)):
            victim = self.request(v, rng)
            lost.pop(v, None)
            if victim is not NOBODY:
                lost[victim] = None
        return list(lost)

    def request(self, v: Key, rng: SplitMix64) -> Key:
        """Serve one request; the page that is evicted for it, or NOBODY."""
        slot = self.slot.get(v, -1)
        if slot < 0:
            return self._fault(v, rng)
        born, died = int(self.birth[slot]), int(self.death[slot])
        if born == self.top:
            return NOBODY
        self.birth[slot], self.death[slot] = self.top, HELD
        victim = NOBODY
        if died != HELD:
            x = slot
            while died != HELD:
                members = np.flatnonzero((self.birth <= died) & (self.death > died))
                x = int(members[rng.below(len(members))])
                died, self.death[x] = int(self.death[x]), died
            victim = self.key[x]
            self._take_place(x, slot)
        self.limits[born - self.first : self.top - self.first] -= 1
        self._forget()
        return victim

    def _fault(self, v: Key, rng: SplitMix64) -> Key:
        if len(self.held) < self.capacity:
            slot = self._new(v)
            self.place[slot] = len(self.held)
            self.held.append(slot)
            return NOBODY
        x = self.held[rng.below(self.capacity)]
        victim = self.key[x]
        self.death[x] = self.top
        if self.top - self.first == len(self.limits):
            self.limits = np.concatenate([self.limits, np.zeros_like(self.limits)])
        self.limits[self.top - self.first] = self.capacity - 1
        self.top += 1
        self._take_place(x, self._new(v))
        self._forget()
        return victim

    def _new(self, v: Key) -> int:
        """A slot for a page that comes to S_top."""
        if not self.unused:
            grown = len(self.key)
            self.unused = list(range(grown, 2 * grown))
            self.key += [NOBODY] * grown
            self.birth = np.concatenate([self.birth, np.full(grown, HELD)])
            self.death = np.concatenate([self.death, np.full(grown, HELD)])
        slot = self.unused.pop()
        self.slot[v], self.key[slot] = slot, v
        self.birth[slot] = self.top
        return slot

    def _take_place(self, old: int, new: int) -> None:
        at = self.place.pop(old)
        self.held[at] = new
        self.place[new] = at

    def _forget(self) -> None:
        """Put outside the sets of which OPT can hold nothing."""
        levels = self.top - self.first
        empty = np.flatnonzero(self.limits[:levels] == 0)
        if not len(empty):
            return
        gone = int(empty[-1]) + 1
        self.first += gone
        for slot in np.flatnonzero(self.birth < self.first).tolist():
            del self.slot[self.key[slot]]
            self.key[slot] = NOBODY
            self.birth[slot] = self.death[slot] = HELD
            self.unused.append(slot)
        self.limits = np.concatenate([self.limits[gone:], np.zeros(gone, np.int64)])


class Partition(Transferred):
    """Partition on the path's nodes; a leaf below whatever inner node it evicts. [McGeoch1991]_

    Partition is H_k-competitive on flat caches, which is optimal, and it is so on every tree: the transfer of
    :doc:`/theory/transfer` costs nothing, and OPT is the same for both. On stars of k + 1 leaves or more that
    is the best possible ratio; where a tree is narrow, RLT's bound of 4 H_w may be below it.

    *What was kept.* The algorithm as published, on the path walked down and up. It remembers every page that
    OPT might hold, and how it last was drawn: unbounded memory, and time proportional to it at each miss of
    such a page. (EQUITABLE [Achlioptas2000]_ forgets beyond k^2 log k pages.) *What is ours*: which leaf goes
    for an inner node, the one down its longest unused branch; and that nothing is evicted while there is
    room.
    """

    name = "partition"
    source = "McGeoch1991 Achlioptas2000"
    draws = True
    pager = PartitionPager
    claims = (Claim("H_k", lambda w: w.harmonic_k()),)
