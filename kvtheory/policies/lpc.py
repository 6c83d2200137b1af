"""LPC: the leaf whose conversation is least likely to go on, as learned so far and as time wears it down."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Collection, Sequence
from typing import Any, ClassVar

from kvtheory.coming import Coming
from kvtheory.facts import About
from kvtheory.leaf_queue import LeafHeap
from kvtheory.object_policy import Key, ObjectPolicy
from kvtheory.online_logit import OnlineLogit
from kvtheory.rng import SplitMix64
from kvtheory.sessions import Sessions, Turn

TURNS, TYPES = 11, 8
LENGTH = (3, 5, 8, 12, 16, 24, 32, 48, 80, 120)
FRESH = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 0.99)
GAP = (0.25, 0.5, 1.0, 2.0, 4.0)

AT_TYPE = TURNS
AT_LENGTH = AT_TYPE + TYPES
AT_FRESH = AT_LENGTH + len(LENGTH) + 1
AT_GAP = AT_FRESH + len(FRESH) + 1
INDICATORS = AT_GAP + len(GAP) + 2

TIME, ROW, WENT_ON = range(3)
SESSION, OWN, OTHERS = range(3)


class LPC(ObjectPolicy):
    """Leaf of the conversation least likely to go on. [Yang2025]_

    Learned Prefix Caching: at each request the probability `p` that its conversation goes on is predicted,
    and it wears down with the time `a` since, to `p d / (p d + 1 - p)` with `d = exp(-a / m)`, where `m` is
    the mean time between two turns. A block that several conversations share counts as the likeliest of
    them. The block with the least goes. All odds wear down alike: their order changes only with requests.

    *What was kept.* The decay, its scale, the pooling and the order are the authors', the predictor is not:
    theirs reads the text of the last user prompts through an embedding and a network trained on each data
    set beforehand. A cache sees no text. Here it is a logistic regression on what a prefix cache does see
    (the turn, the type, the prompt's length, how much of it is new, how this gap compares with the mean) that
    learns while requests are served (:class:`kvtheory.online_logit.OnlineLogit`): each turn is an
    observation once `PATIENCE` mean gaps have passed since. Nothing is trained before, and while nothing
    has been learned this is leaf-LRU. A node's conversation is the last that requested it, the likeliest
    of those before it included; that an earlier turn no longer counts is a reconstruction.

    *Without the columns.* Conversations are chains of prompts (:mod:`kvtheory.sessions`), there is one type,
    and time is in requests.
    """

    name = "lpc"
    source = "Yang2025"
    reads: ClassVar[tuple[str, ...]] = (*Sessions.READS, "type")
    PATIENCE: ClassVar[float] = 4.0
    VARIANCE: ClassVar[float] = 0.5
    NEVER: ClassVar[float] = -1e9

    def __init__(self, capacity: int, rng: SplitMix64) -> None:
        super().__init__(capacity, rng)
        self.sessions = Sessions()
        self.model = OnlineLogit(INDICATORS, self.VARIANCE)
        self.type = 0
        self.turns: OrderedDict[int, list[Any]] = OrderedDict()
        """Turns of which it is not known whether the conversation went on: by number of the request."""
        self.latest: dict[int, int] = {}
        """The last of these turns, by conversation."""
        self.clock = 0.0
        """Time in mean gaps."""
        self.note: list[Any] = [0, 0.0]
        """Conversation and score of the request that was seen last."""
        self.coming = Coming(4 * capacity)
        self.notes: dict[Key, list[Any]] = {}
        """Of each cached node: the conversation that asked last, its score, and the best of the others."""
        self.stamp = 0
        self.scores: LeafHeap[Key] = LeafHeap()

    def on_arrival(self, about: About) -> None:
        self.sessions.arrive(about)
        self.type = int(about.get("type", 0))

    def on_request(self, path: Sequence[Key], cached: Sequence[Key]) -> None:
        before = self.sessions.now
        turn = self.sessions.place(path)
        usual = self.sessions.mean_gap()
        if usual:
            self.clock += (self.sessions.now - before) / usual
            self._learn(self.sessions.now - self.PATIENCE * usual)
        if turn.session in self.latest:
            self.turns[self.latest[turn.session]][WENT_ON] = 1
        row = self._row(turn, len(path), usual)
        self.turns[self.sessions.requests] = [self.sessions.now, row, 0, turn.session]
        self.latest[turn.session] = self.sessions.requests
        self.note = [turn.session, self.model.log_odds(row) + self.clock]
        for v in cached:
            self._score(v, *self.note)
        self.coming.expect(path[len(cached) :], self.note)

    def on_insert(self, v: Key) -> None:
        self.notes.pop(v, None)
        self._score(v, *self.coming.take(v, self.note))

    def on_leaf(self, v: Key) -> None:
        self.scores.offer(v)

    def on_evict(self, v: Key) -> None:
        self.scores.discard(v)
        self.notes.pop(v, None)

    def victim(self, leaves: Collection[Key]) -> Key | None:
        return self.scores.first(leaves)

    def _score(self, v: Key, session: int, score: float) -> None:
        note = self.notes.get(v, [session, self.NEVER, self.NEVER])
        others = note[OTHERS] if note[SESSION] == session else max(note[OWN], note[OTHERS])
        self.notes[v] = [session, score, others]
        self.stamp += 1
        self.scores.push(v, (max(score, others), self.stamp))

    def _learn(self, until: float) -> None:
        """See what became of the turns up to a time."""
        while self.turns:
            number, (time, row, went_on, session) = next(iter(self.turns.items()))
            if time > until:
                return
            del self.turns[number]
            if self.latest.get(session) == number:
                del self.latest[session]
            self.model.observe(row, bool(went_on), 1.0)

    def _row(self, turn: Turn, length: int, usual: float | None) -> list[int]:
        """Which indicators are on for a turn."""
        gap = 0 if turn.gap is None or not usual else 1 + bisect_right(GAP, turn.gap / usual)
        return [
            min(max(turn.turn, 1), TURNS) - 1,
            AT_TYPE + min(max(self.type, 0), TYPES - 1),
            AT_LENGTH + bisect_right(LENGTH, length),
            AT_FRESH + bisect_right(FRESH, turn.fresh / length if length else 0.0),
            AT_GAP + gap,
        ]
