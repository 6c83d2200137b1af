"""Follow a policy whose worst case is not known, and never lose more than a factor to leaf-LRU, or another.

Both are played on caches of their own that hold keys and no data. The cache follows one of them: it evicts
what that one does not hold. docs/theory/hedge.rst has the proof of the bound.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import ClassVar

from kvtheory.facts import About
from kvtheory.leaf_queue import LeafQueue
from kvtheory.object_policy import Key, Memory, ObjectPolicy
from kvtheory.policy import Claim
from kvtheory.rng import SplitMix64

ROOT = None
"""Parent of the first key of a path."""


class RecentLeaf(ObjectPolicy):
    """Leaf-LRU once more, as an object. [Sleator1985]_"""

    name = "recent_leaf"

    def __init__(self, capacity: int, rng: SplitMix64) -> None:
        super().__init__(capacity, rng)
        self.queue: LeafQueue[Key] = LeafQueue()

    def on_request(self, path: Sequence[Key], cached: Sequence[Key]) -> None:
        for v in cached:
            self.queue.push(v)

    def on_insert(self, v: Key) -> None:
        self.queue.push(v)

    def on_leaf(self, v: Key) -> None:
        self.queue.offer(v)

    def on_evict(self, v: Key) -> None:
        self.queue.discard(v)

    def victim(self, leaves: Collection[Key]) -> Key | None:
        return self.queue.first(leaves)


class Shadow(Memory):
    """A cache of keys alone under one policy, from the empty cache.

    Args:
        policy: who chooses the victims.
        capacity: nodes it holds.
        rng: for a policy that draws.
    """

    def __init__(self, policy: type[ObjectPolicy], capacity: int, rng: SplitMix64) -> None:
        self.mind = policy(capacity, rng)
        self.capacity = capacity
        self.misses = 0
        self.parent: dict[Key, Key] = {}
        """Of each cached key; in the order of insertion."""
        self.children: dict[Key, int] = {}
        """How many cached children each cached key has."""
        self.leaves: dict[Key, None] = {}

    def __contains__(self, key: object) -> bool:
        return key in self.parent

    def serve(self, path: Sequence[Key]) -> list[Key]:
        """Serve one request; return the victims in order."""
        held = 0
        while held < len(path) and path[held] in self.parent:
            held += 1
        self.misses += len(path) - held
        above = path[held - 1] if held else ROOT
        self.leaves.pop(above, None)
        self.mind.on_request(path, path[:held])
        for v in path[held:]:
            self.parent[v] = above
            self.children[v] = 0
            if above is not ROOT:
                self.children[above] += 1
            self.mind.on_insert(v)
            above = v
        victims: list[Key] = []
        while len(self.parent) > self.capacity and self.leaves:
            victims.append(self._evict(path))
        if path and not self.children[path[-1]]:
            self._offer(path[-1])
        return victims

    def _evict(self, path: Sequence[Key]) -> Key:
        v = self.mind.victim(self.leaves)
        if v is None:
            v = next(iter(self.leaves))
        del self.leaves[v], self.children[v]
        above = self.parent.pop(v)
        self.mind.on_evict(v)
        if above is not ROOT:
            self.children[above] -= 1
            if not self.children[above] and above != path[-1]:
                self._offer(above)
        return v

    def _offer(self, v: Key) -> None:
        self.leaves[v] = None
        self.mind.on_leaf(v)


class Hedge(ObjectPolicy):
    """Follows `leader` until it has missed 2 capacities more than `fallback`, then that until they are even.

    At most 3 times the misses of the fallback and 4 capacities more, and at most 3 times those of the
    leader and one capacity more. Nothing is evicted before more nodes than the capacity were requested, and
    then OPT has missed those: so 4 capacities are less than 4 OPT. The claim is that of leaf-LRU as the
    fallback.

    Attributes:
        leader: the policy to follow.
        fallback: the policy whose worst case is known.
    """

    name = "hedge"
    source = "Fiat1991 Wei2020"
    claims = (Claim("3 max(1, W - 1) + 4", lambda w: 3 * max(1, w.W - 1) + 4),)
    leader: ClassVar[type[ObjectPolicy]] = RecentLeaf
    fallback: ClassVar[type[ObjectPolicy]] = RecentLeaf
    PATIENCE: ClassVar[int] = 2

    def __init_subclass__(cls) -> None:
        cls.reads = cls.leader.reads
        super().__init_subclass__()

    def __init__(self, capacity: int, rng: SplitMix64) -> None:
        super().__init__(capacity, rng)
        vars(self).pop("rng", None)  # only the two followed draw, and one alone may, for each keeps it
        self.led = Shadow(self.leader, capacity, rng)
        self.safe = Shadow(self.fallback, capacity, rng)
        self.leading = True
        self.switches = 0
        self.held: dict[Key, None] = {}
        self.spare: dict[Key, None] = {}
        """What is cached here and not in the cache that is followed."""

    @property
    def followed(self) -> Shadow:
        """The cache that is followed."""
        return self.led if self.leading else self.safe

    def on_arrival(self, about: About) -> None:
        self.led.mind.on_arrival(about)

    def on_request(self, path: Sequence[Key], cached: Sequence[Key]) -> None:
        lost = self.led.misses - self.safe.misses
        switch = lost >= self.PATIENCE * self.capacity if self.leading else lost <= 0
        victims = {True: self.led.serve(path), False: self.safe.serve(path)}
        if switch:
            self.leading = not self.leading
            self.switches += 1
            self.spare = {v: None for v in self.held if v not in self.followed}
            return
        for v in path:
            self.spare.pop(v, None)
        for v in victims[self.leading]:
            if v in self.held:
                self.spare[v] = None

    def on_insert(self, v: Key) -> None:
        self.held[v] = None
        if v not in self.followed:
            self.spare[v] = None

    def on_evict(self, v: Key) -> None:
        self.held.pop(v, None)
        self.spare.pop(v, None)

    def victim(self, leaves: Collection[Key]) -> Key | None:
        return next((v for v in self.spare if v in leaves), None)
