"""Any paging algorithm for flat caches as a policy for prefix trees, at no greater cost.

The flat algorithm, the *pager*, is asked for the nodes of every path; it holds what it likes, inner nodes
evicted or not. Beside it stands a closed set of no more nodes: where the pager evicts an inner node, the set
loses a leaf below it instead, and remembers whom that leaf stands for. Whoever asks for the leaf asks for the
inner node as well; so every miss of the set is a miss of the pager. docs/theory/transfer.rst has the proof.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from kvtheory.closed_set import ClosedSet
from kvtheory.leaf_queue import LeafQueue
from kvtheory.object_policy import Key, Memory, ObjectPolicy
from kvtheory.rng import SplitMix64


class Pager(Memory):
    """A paging algorithm for a flat cache that starts empty.

    Args:
        capacity: pages it holds.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity

    def __contains__(self, key: object) -> bool:
        """Whether a page is held."""
        raise NotImplementedError

    def serve(self, path: Sequence[Key], rng: SplitMix64) -> Iterable[Key]:
        """Serve requests for the pages of a path; afterwards all of them are held.

        Returns:
            what was held before and is no longer, in order; none of the path.
        """
        raise NotImplementedError

    def restore(self, state: dict[str, Any]) -> None:
        """Return to a snapshot; arrays take its length."""
        for name, value in vars(self).items():
            if isinstance(value, np.ndarray):
                setattr(self, name, np.zeros(len(state[name]), value.dtype))
        super().restore(state)


class Shade(Memory):
    """The closed set that follows a pager.

    Attributes:
        closed: the set, never more nodes than the pager holds pages.
        owed: for each page that is held and not in the set, the ancestor that is in the set and not held.
        owes: the same the other way round.
    """

    def __init__(self) -> None:
        self.closed = ClosedSet()
        self.owed: dict[Key, Key] = {}
        self.owes: dict[Key, Key] = {}

    def follow(self, pager: Pager, path: Sequence[Key], evicted: Iterable[Key]) -> list[Key]:
        """Serve a path that the pager has served; return what the set loses, in order."""
        for v in path:
            if (above := self.owed.pop(v, None)) is not None:
                del self.owes[above]
            if (below := self.owes.pop(v, None)) is not None:
                del self.owed[below]
        self.closed.use(path)
        lost = []
        still = dict.fromkeys(evicted)  # evictions are taken one by one: the later ones have not happened
        for v in list(still):
            del still[v]
            if v in self.closed:
                lost.append(self._lose_below(v, lambda u: u in pager or u in still))
            elif (above := self.owed.pop(v, None)) is not None:
                del self.owes[above]
                lost.append(self._lose_below(above, lambda u: u in pager or u in still))
        return lost

    def _lose_below(self, v: Key, held: Callable[[Key], bool]) -> Key:
        """Drop a leaf below `v`, which is not held and has nobody that stands for it."""
        leaf = self.closed.oldest_leaf(v)
        self.closed.remove(leaf)
        stands = leaf if held(leaf) else self.owes.pop(leaf, None)
        if leaf != v and stands is not None:
            self.owed[stands], self.owes[v] = v, stands
        return leaf


class Transferred(ObjectPolicy):
    """Evicts what the closed set beside a pager has lost, oldest loss first, when room is needed.

    Attributes:
        pager: makes the flat algorithm for a capacity.
    """

    name = "transferred"
    pager: ClassVar[type[Pager]] = Pager

    def __init__(self, capacity: int, rng: SplitMix64) -> None:
        super().__init__(capacity, rng)
        self.rng = rng
        self.flat = self.pager(capacity)
        self.shade = Shade()
        self.spare: LeafQueue[Key] = LeafQueue()
        """What is cached and not in the set."""

    def on_request(self, path: Sequence[Key], cached: Sequence[Key]) -> None:
        for v in cached:
            self.spare.discard(v)
        evicted = self.flat.serve(path, self.rng) if path else ()
        for v in self.shade.follow(self.flat, path, evicted):
            self.spare.push(v)

    def on_insert(self, v: Key) -> None:
        if v not in self.shade.closed:  # a live engine's: generated since the request came
            self.spare.push(v)

    def on_leaf(self, v: Key) -> None:
        self.spare.offer(v)

    def victim(self, leaves: Collection[Key]) -> Key | None:
        return self.spare.first(leaves)

    def on_evict(self, v: Key) -> None:
        self.spare.discard(v)
