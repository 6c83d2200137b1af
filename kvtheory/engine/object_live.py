"""What :mod:`kvtheory.engine.templates.live` does, for a policy that is an object: in Python, by key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kvtheory.engine.live_table import Table
from kvtheory.engine.templates.live import COUNT, INSERTIONS, TIME
from kvtheory.errors import PolicyError
from kvtheory.facts import About
from kvtheory.model import IntArray
from kvtheory.object_policy import Key, ObjectPolicy
from kvtheory.rng import SplitMix64


class ObjectKernel:
    """The functions of a live kernel around one object.

    Args:
        policy: who chooses the victims.
        capacity: nodes that the cache holds.
        seed: of every draw.
        keys: the key of each slot; shared with the table, which changes it.
        slots: the slot of each key; shared as well.
    """

    def __init__(
        self,
        policy: type[ObjectPolicy],
        capacity: int,
        seed: int,
        keys: Sequence[Key],
        slots: Mapping[Key, int],
    ) -> None:
        self.rng = SplitMix64(seed)
        self.mind = policy(capacity, self.rng)
        self.leaves: dict[Key, None] = {}
        self._keys, self._slots = keys, slots

    def tell(self, about: About) -> None:
        """What the request says of itself that is served next."""
        if names := self.mind.reads:
            self.mind.on_arrival({name: about[name] for name in names if name in about})

    def serve(self, c: Table, path: IntArray, pinned: IntArray, upto: int, dead: IntArray) -> int:
        """A request arrives: it is seen whole, then the first `upto` nodes come in. No slot dies of it."""
        del dead
        c.counters[TIME] += 1
        slots = path.tolist()
        cached = [self._keys[u] for u in slots if c.resident[u]]
        self.pin(c, pinned)
        for u in slots[:upto]:
            self._leave(c, u)
        self.mind.on_request([self._keys[u] for u in slots], cached)
        for u in slots[:upto]:
            self._insert(c, u)
        return 0

    def grow(self, c: Table, nodes: IntArray) -> None:
        """Insert nodes that a running request has filled since it was served."""
        for u in nodes.tolist():
            self._leave(c, u)
            self._insert(c, u)

    def pin(self, c: Table, nodes: IntArray) -> None:
        """A block of each node goes into use."""
        for u in nodes.tolist():
            c.pins[u] += 1
            self._leave(c, u)

    def release(self, c: Table, nodes: IntArray) -> None:
        """A block of each node goes out of use."""
        for u in nodes.tolist():
            c.pins[u] -= 1
            self._join(c, u)

    def drop(self, c: Table, u: int) -> None:
        """Node `u` has left the engine's cache, by whatever way."""
        if not c.resident[u]:
            return
        self._leave(c, u)
        c.pins[u] = 0
        self._remove(c, u)

    def evict(self, c: Table, wanted: int, victims: IntArray, dead: IntArray) -> tuple[int, int]:
        """Evict `wanted` times; how many victims and how many dead slots there are, victims among them.

        Raises:
            PolicyError: if the policy names a node that may not be evicted.
        """
        deaths = 0
        for i in range(wanted):
            if not self.leaves:
                return i, deaths
            key = self.mind.victim(self.leaves)
            if key is None:
                key = min(self.leaves, key=lambda k: self._tie(c, self._slots[k]))
            if key not in self.leaves:
                raise PolicyError(f"{self.mind.name}: names {key!r}, which may not go")
            u = self._slots[key]
            self._leave(c, u)
            self._remove(c, u)
            victims[i] = dead[deaths] = u
            deaths += 1
            u = int(c.parent[u])
            if u and not (c.resident[u] or c.children[u]):
                dead[deaths] = u
                deaths += 1
        return wanted, deaths

    def _tie(self, c: Table, u: int) -> Any:
        return -c.depth[u], c.inserted[u]

    def _insert(self, c: Table, u: int) -> None:
        if c.resident[u]:
            return
        c.resident[u] = 1
        c.inserted[u] = c.counters[INSERTIONS]
        c.counters[INSERTIONS] += 1
        self._leave(c, int(c.parent[u]))
        c.children[c.parent[u]] += 1
        self.mind.on_insert(self._keys[u])

    def _remove(self, c: Table, u: int) -> None:
        c.resident[u] = 0
        self.mind.on_evict(self._keys[u])
        c.children[c.parent[u]] -= 1
        self._join(c, int(c.parent[u]))

    def _join(self, c: Table, u: int) -> None:
        key = self._keys[u]
        if u == 0 or not c.resident[u] or c.children[u] or c.pins[u] or key in self.leaves:
            return
        self.leaves[key] = None
        c.counters[COUNT] += 1
        self.mind.on_leaf(key)

    def _leave(self, c: Table, u: int) -> None:
        if self._keys[u] in self.leaves:
            del self.leaves[self._keys[u]]
            c.counters[COUNT] -= 1
