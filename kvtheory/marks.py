"""Marking, for policies that are objects: phases, and the unmarked leaves in the order of the model."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from kvtheory.object_policy import Key, Memory, ObjectPolicy
from kvtheory.rng import SplitMix64


class Marks(Memory):
    """Which nodes were requested in this phase, and which leaves were not.

    A phase ends when its marks and the path requested together are more than the capacity. The unmarked
    leaves are in the order that :mod:`kvtheory.model` gives to the candidates of a draw.

    Args:
        capacity: nodes the cache holds.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.marked: dict[Key, None] = {}
        """In the order of marking."""
        self.leaves: dict[Key, None] = {}
        self.unmarked: list[Key] = []
        self.place: dict[Key, int] = {}
        """Where each unmarked leaf is in the list."""

    def on_request(self, path: Sequence[Key], cached: Sequence[Key]) -> list[Key] | None:
        """A request arrives; the leaves whose marks are cleared, or None if no phase ends."""
        freed = None
        if len(self.marked) + sum(v not in self.marked for v in path) > self.capacity:
            freed = [v for v in self.marked if v in self.leaves]
            for v in freed:
                self._append(v)
            self.marked = {}
        self.marked.update(dict.fromkeys(path))
        for v in cached[-1:]:
            self.on_evict(v)
        return freed

    def on_leaf(self, v: Key) -> bool:
        """A node may be evicted from now on; whether it is unmarked."""
        self.leaves[v] = None
        if v in self.marked:
            return False
        self._append(v)
        return True

    def on_evict(self, v: Key) -> None:
        """A node is no leaf any more."""
        self.leaves.pop(v, None)
        at = self.place.pop(v, None)
        if at is not None:
            last = self.unmarked.pop()
            if last != v:
                self.unmarked[at] = last
                self.place[last] = at

    def draw(self, rng: SplitMix64, leaves: Collection[Key]) -> Key | None:
        """A uniformly random unmarked leaf that is among `leaves`; None if there is none."""
        while self.unmarked:
            v = self.unmarked[rng.below(len(self.unmarked))]
            if v in leaves:
                return v
            self.on_evict(v)  # a live engine has put it into use; it comes back by `on_leaf`
        return None

    def _append(self, v: Key) -> None:
        if v not in self.place:
            self.place[v] = len(self.unmarked)
            self.unmarked.append(v)


class RandomUnmarkedLeaf(ObjectPolicy):
    """RLT once more, as an object: the same draws, the same victims. [Wu2026]_"""

    name = "random_unmarked_leaf"
    draws = True

    def __init__(self, capacity: int, rng: SplitMix64) -> None:
        super().__init__(capacity, rng)
        self.marks = Marks(capacity)

    def on_request(self, path: Sequence[Key], cached: Sequence[Key]) -> None:
        self.marks.on_request(path, cached)

    def on_leaf(self, v: Key) -> None:
        self.marks.on_leaf(v)

    def on_evict(self, v: Key) -> None:
        self.marks.on_evict(v)

    def victim(self, leaves: Collection[Key]) -> Key | None:
        return self.marks.draw(self.rng, leaves)
