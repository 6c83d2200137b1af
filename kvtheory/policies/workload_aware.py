"""Workload-aware: the leaf least likely to be used again while it would stay, by category of request."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any, ClassVar

from kvtheory.facts import About
from kvtheory.leaf_queue import LeafHeap
from kvtheory.object_policy import Key, ObjectPolicy
from kvtheory.rng import SplitMix64
from kvtheory.sessions import Sessions

USES, REUSES, WAITED = range(3)
LAST, CATEGORY, NUMBER, OFFSET = range(4)


class WorkloadAware(ObjectPolicy):
    """Leaf least likely to be used again within the time that a leaf stays; deepest first. [Wang2025]_

    Requests fall into categories, by type and turn. In each, a block is used again with some probability `p`,
    and if so, after an exponential time of some mean `m`; both are counted while requests are served. A
    block that was last used `a` ago is then used again within `l` with probability
    `p exp(-a/m) (1 - exp(-l/m)) / (1 - p + p exp(-a/m))`, and the leaf with the least goes; of equals the
    deepest, then the one used least recently. `l` is the life of a leaf: how long victims had been without
    use, a moving average over about `VICTIMS` of them. Until there is one, `l` is infinite.

    *What was kept.* Categories, the exponential law, the life, and offsets as the tie-break are the authors'.
    They fit the law to a sample now and then; here it is counted as blocks return, whether still cached or
    not, in a memory of `Sessions.MEMORY` requests, and `p` is the share of uses so far that were followed by
    another, with one use of either kind to begin with. That the block has not returned in `a`
    counts against it (the denominator) is a reconstruction. Turns from `TURNS` on are one.

    *Without the columns.* Where requests have no `type`, there is one; where they have no `turn`, it is
    counted along chains of prompts (:mod:`kvtheory.sessions`); without `timestamp`, time is in requests.
    """

    name = "workload_aware"
    source = "Wang2025"
    reads: ClassVar[tuple[str, ...]] = (*Sessions.READS, "type")
    TURNS: ClassVar[int] = 8
    VICTIMS: ClassVar[int] = 1000

    def __init__(self, capacity: int, rng: SplitMix64) -> None:
        super().__init__(capacity, rng)
        self.sessions = Sessions()
        self.type = 0
        self.category = 0
        self.counts: dict[int, list[float]] = {}
        """Of each category: uses, those followed by another, and the sum of the times between."""
        self.seen: dict[Key, list[Any]] = {}
        """Of each node remembered: when it was used last, in which category and request, how deep it is."""
        self.held: set[Key] = set()
        self.queues: dict[int, LeafHeap[Key]] = {}
        self.offset = 1
        self.stamp = 0
        self.life, self.victims = 0.0, 0

    def on_arrival(self, about: About) -> None:
        self.sessions.arrive(about)
        self.type = int(about.get("type", 0))

    def on_request(self, path: Sequence[Key], cached: Sequence[Key]) -> None:
        sessions, seen = self.sessions, self.seen
        turn = sessions.place(path)
        self.category = self.type * self.TURNS + min(turn.turn, self.TURNS) - 1
        self.offset = len(path) + 1
        self.queues.setdefault(self.category, LeafHeap())
        self.counts.setdefault(self.category, [0, 0, 0.0])[USES] += len(path)
        for v in cached:
            self.queues[seen[v][CATEGORY]].discard(v)
        for i, v in enumerate(path):
            if v in seen:
                then, category = seen[v][LAST], seen[v][CATEGORY]
                self.counts[category][REUSES] += 1
                self.counts[category][WAITED] += sessions.now - then
            seen[v] = [sessions.now, self.category, sessions.requests, i + 1]
        for v in cached:
            self._file(v)
        if sessions.requests % sessions.MEMORY == 0:
            oldest = sessions.requests - sessions.MEMORY
            self.seen = {v: n for v, n in seen.items() if n[NUMBER] > oldest or v in self.held}

    def on_insert(self, v: Key) -> None:
        if v not in self.seen:  # of an answer, in a live engine
            self.seen[v] = [self.sessions.now, self.category, self.sessions.requests, self.offset]
        self.queues.setdefault(self.seen[v][CATEGORY], LeafHeap())
        self.held.add(v)
        self._file(v)

    def on_leaf(self, v: Key) -> None:
        self.queues[self.seen[v][CATEGORY]].offer(v)

    def on_evict(self, v: Key) -> None:
        then, category = self.seen[v][LAST], self.seen[v][CATEGORY]
        self.queues[category].discard(v)
        self.held.discard(v)
        self.victims += 1
        share = 1 / min(self.victims, self.VICTIMS)
        self.life += share * (self.sessions.now - then - self.life)

    def victim(self, leaves: Collection[Key]) -> Key | None:
        best: tuple[float, int, float] | None = None
        found = None
        for category, queue in self.queues.items():
            v = queue.first(leaves)
            if v is not None:
                then = self.seen[v][LAST]
                rank = (self.chance(category, self.sessions.now - then), -self.seen[v][OFFSET], then)
                if best is None or rank < best:
                    best, found = rank, v
        return found

    def restore(self, state: dict[str, Any]) -> None:
        queues = {category: LeafHeap(ranked) for category, ranked in state["queues"]}
        super().restore(state)
        self.queues = queues

    def chance(self, category: int, age: float) -> float:
        """Probability that a block of a category, unused for `age`, is used again while it would stay."""
        uses, reuses, waited = self.counts[category]
        often = (reuses + 1) / (uses + 2)
        mean = waited / reuses if reuses else 0.0
        if not mean:
            return often
        still = often * math.exp(-age / mean)
        stays = 1 - math.exp(-self.life / mean) if self.victims else 1.0
        return stays * still / (1 - often + still)

    def _file(self, v: Key) -> None:
        then, category, _, offset = self.seen[v]
        self.stamp += 1
        self.queues[category].push(v, (then, -offset, self.stamp))
