"""Session ETA: the leaf of the conversation that is expected back last."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import ClassVar

from kvtheory.coming import Coming
from kvtheory.facts import About
from kvtheory.leaf_queue import LeafHeap
from kvtheory.object_policy import Key, ObjectPolicy
from kvtheory.rng import SplitMix64
from kvtheory.sessions import Sessions


class SessionETA(ObjectPolicy):
    """Leaf of the conversation expected back last, by its own gaps between turns and those of all. [Zhi2026]_

    A conversation that spoke at `t` is expected at `t + g`, where `g` is the mean of its own gaps so far and
    of `PRIOR` more of the length that gaps have on average. The next use farthest away goes, suffix
    before prefix: Belady's rule for the time that is expected. As the paper names its estimate a moving
    average of a session's own where there is one and a prior of the workload otherwise, the weighing of
    the two is a reconstruction.

    *The overdue.* The paper's sessions are known to live on. Here nobody says that a conversation is over,
    and one that is late would look like the next to come for ever. So who is late by `d` is expected in
    another `d`, as if its waiting time had no scale: the leaf goes whose expected time is farthest from
    now, on either side.

    *From conversations to trees.* A node belongs to the conversation that requested it last. Conversations
    are what clients say, or chains of prompts (:mod:`kvtheory.sessions`), and time is in seconds, or in
    requests. While no conversation has had a second turn this is leaf-LRU.
    """

    name = "session_eta"
    source = "Zhi2026"
    reads: ClassVar[tuple[str, ...]] = Sessions.READS
    PRIOR: ClassVar[float] = 1.0

    def __init__(self, capacity: int, rng: SplitMix64) -> None:
        super().__init__(capacity, rng)
        self.sessions = Sessions()
        self.stamp = 0
        self.eta = 0.0
        """When the conversation of the latest request is expected back."""
        self.coming = Coming(4 * capacity)
        self.soonest: LeafHeap[Key] = LeafHeap()
        self.latest: LeafHeap[Key] = LeafHeap()

    def on_arrival(self, about: About) -> None:
        self.sessions.arrive(about)

    def on_request(self, path: Sequence[Key], cached: Sequence[Key]) -> None:
        turn = self.sessions.place(path)
        usual = self.sessions.mean_gap() or 0.0
        self.eta = self.sessions.now + (turn.waited + self.PRIOR * usual) / (turn.gaps + self.PRIOR)
        for v in cached:
            self._expect(v, self.eta)
        self.coming.expect(path[len(cached) :], self.eta)

    def on_insert(self, v: Key) -> None:
        self._expect(v, self.coming.take(v, self.eta))

    def on_leaf(self, v: Key) -> None:
        self.soonest.offer(v)
        self.latest.offer(v)

    def on_evict(self, v: Key) -> None:
        self.soonest.discard(v)
        self.latest.discard(v)

    def victim(self, leaves: Collection[Key]) -> Key | None:
        overdue, far = self.soonest.first(leaves), self.latest.first(leaves)
        if overdue is None or far is None:
            return None
        late = self.sessions.now - self.soonest.rank(overdue)[0]
        early = self.soonest.rank(far)[0] - self.sessions.now
        return far if early > late else overdue

    def _expect(self, v: Key, eta: float) -> None:
        self.stamp += 1
        self.soonest.push(v, (eta, self.stamp))
        self.latest.push(v, (-eta, self.stamp))
