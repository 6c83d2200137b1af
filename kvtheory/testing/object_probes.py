"""Honest objects that nobody would use: they reach corners of the engines that the registry does not."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from kvtheory.facts import About
from kvtheory.leaf_queue import LeafQueue
from kvtheory.object_policy import Key, ObjectPolicy
from kvtheory.rng import SplitMix64


class NoPreference(ObjectPolicy):
    """Leaves every choice to the engine."""

    name = "probe_no_preference"

    def victim(self, leaves: Collection[Key]) -> Key | None:
        return None


class AnyLeaf(ObjectPolicy):
    """Draws among the leaves as they are listed, and now and then does not care."""

    name = "probe_any_leaf"
    draws = True

    def victim(self, leaves: Collection[Key]) -> Key | None:
        draw = self.rng.below(len(leaves) + 1)
        return [*leaves, None][draw]


class Hoarder(ObjectPolicy):
    """Keeps one of every kind of state: counts for ever, moves keys that may go, evicts by ghost count."""

    name = "probe_hoarder"

    def __init__(self, capacity: int, rng: SplitMix64) -> None:
        super().__init__(capacity, rng)
        self.queue: LeafQueue[Key] = LeafQueue()
        self.requests: dict[Key, int] = {}
        self.seen_twice: set[Key] = set()
        self.last: list[Key] = []
        self.word = "even"

    def on_request(self, path: Sequence[Key], cached: Sequence[Key]) -> None:
        self.word = "odd" if self.word == "even" else "even"
        self.last = list(path)
        for v in path:
            self.requests[v] = self.requests.get(v, 0) + 1
            if self.requests[v] == 2:
                self.seen_twice.add(v)
            self.queue.push(v)

    def on_leaf(self, v: Key) -> None:
        self.queue.offer(v)

    def on_evict(self, v: Key) -> None:
        self.queue.discard(v)

    def victim(self, leaves: Collection[Key]) -> Key | None:
        if self.word == "odd":
            return next((v for v in leaves if v not in self.seen_twice), None)
        found = self.queue.first(leaves)
        while found in self.seen_twice:
            self.seen_twice.discard(found)
            self.queue.push(found)
            found = self.queue.first(leaves)
        return found


class Credulous(ObjectPolicy):
    """Evicts by what requests say of themselves: the smallest sum of numbers first, of every kind at once."""

    name = "probe_credulous"
    reads = ("timestamp", "priority", "type", "turn", "input_length")

    def __init__(self, capacity: int, rng: SplitMix64) -> None:
        super().__init__(capacity, rng)
        self.said: dict[str, int | float] = {}
        self.sums: dict[Key, float] = {}

    def on_arrival(self, about: About) -> None:
        self.said = dict(about)

    def on_request(self, path: Sequence[Key], cached: Sequence[Key]) -> None:
        self.sums.update(dict.fromkeys(path, float(sum(self.said.values()))))

    def victim(self, leaves: Collection[Key]) -> Key | None:
        return min(leaves, key=lambda v: self.sums.get(v, 0.0))


OBJECT_PROBES: dict[str, type[ObjectPolicy]] = {
    policy.name: policy for policy in (NoPreference, AnyLeaf, Hoarder, Credulous)
}
