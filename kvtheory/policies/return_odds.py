"""Return odds: the log-odds that a node is asked for again, learned while requests are served."""

from __future__ import annotations

import heapq
import math
from bisect import bisect_right
from collections.abc import Collection, Sequence
from itertools import groupby
from typing import Any, ClassVar

from kvtheory.object_policy import Key, ObjectPolicy
from kvtheory.online_logit import OnlineLogit
from kvtheory.rng import SplitMix64

USES, TURNS = 12, 11
FRESH = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 0.99)
ABOVE_TIP = (1, 2, 3, 5, 8, 12, 16, 24, 32, 48, 80)
LENGTH = (3, 5, 8, 12, 16, 24, 32, 48, 80, 120)
GAP = (20, 50, 100, 150, 200, 300, 500, 800, 1500, 3000, 12000)

AT_TURN = USES
AT_FRESH = AT_TURN + TURNS
AT_ABOVE = AT_FRESH + len(FRESH) + 1
AT_LENGTH = AT_ABOVE + len(ABOVE_TIP) + 1
AT_GAP = AT_LENGTH + len(LENGTH) + 1
INDICATORS = AT_GAP + len(GAP) + 1


class ReturnOdds(ObjectPolicy):
    """Least log-odds of being asked for again, as learned so far and as time wears them down.

    Of what is asked for again a part never is, the rest returns after an exponential time, as measured on
    production traces [Wang2025]_. If a node returns with odds `o`, and has not in `a` requests, the odds
    that it will are `o exp(-a / SCALE)`: in logarithms, what was known when it was last requested minus age.
    Nobody answers at once, so age counts from `HOLD` on. The leaf with the least goes.

    The log-odds are a sum of weights, one for each of: how often the node was requested; the turn of its
    conversation (a request is a turn of another if it contains its path, but for the last node); the part of
    the prompt never seen before; the distance from the prompt's tip; the prompt's length; the time since the
    node was last requested. They are learned from what became of the nodes requested `HORIZON` requests ago,
    by :class:`kvtheory.online_logit.OnlineLogit`: nothing is trained before. Nodes are remembered for
    `MEMORY` requests, cached or not. :doc:`/theory/prize` says what it is worth.
    """

    name = "return_odds"
    source = "Wang2025"
    HORIZON: ClassVar[int] = 1200
    HOLD: ClassVar[int] = 250
    SCALE: ClassVar[int] = 700
    MEMORY: ClassVar[int] = 9600
    VARIANCE: ClassVar[float] = 0.5
    SLACK: ClassVar[int] = 4096

    def __init__(self, capacity: int, rng: SplitMix64) -> None:
        super().__init__(capacity, rng)
        self.model = OnlineLogit(INDICATORS, self.VARIANCE)
        self.now = 0
        self.seen: dict[Key, list[int]] = {}
        """Of each node remembered: requests, the last of them, its length and its turn."""
        self.asked: dict[int, list[Any]] = {}
        """What was requested, and what was on then, until it is known what became of it."""
        self.odds: dict[Key, list[Any]] = {}
        """Of each cached node: log-odds when it was last requested, and when that was."""
        self.arriving: dict[Key, float] = {}
        self.stamps: dict[Key, int] = {}
        self.stamp = 0
        self.young: list[list[Any]] = []
        self.old: list[list[Any]] = []
        self.ripening: dict[int, list[list[Any]]] = {}
        """Leaves of the young heap, by when they join the old one."""

    def on_request(self, path: Sequence[Key], cached: Sequence[Key]) -> None:
        self.now += 1
        self._learn(self.now - self.HORIZON - 1)
        for v, stamp in self.ripening.pop(self.now, ()):
            if self.stamps.get(v) == stamp:
                self._push(v, stamp)
        rows = self._look(path)
        self.asked[self.now] = [list(path), rows]
        scores = [self.model.log_odds(row) for row in rows]
        for v, score in zip(cached, scores, strict=False):
            self.odds[v] = [score, self.now]
        held = len(cached)
        self.arriving = dict(zip(path[held:], scores[held:], strict=True))
        if self.now % self.HORIZON == 0:
            self.seen = {v: note for v, note in self.seen.items() if note[1] > self.now - self.MEMORY}

    def on_insert(self, v: Key) -> None:
        self.odds[v] = [self.arriving.pop(v, 0.0), self.now]

    def on_leaf(self, v: Key) -> None:
        self.stamp += 1
        self.stamps[v] = self.stamp
        self._push(v, self.stamp)

    def on_evict(self, v: Key) -> None:
        self.odds.pop(v, None)
        self.stamps.pop(v, None)

    def victim(self, leaves: Collection[Key]) -> Key | None:
        if len(self.young) + len(self.old) > 4 * len(leaves) + self.SLACK:
            self.young, self.old, self.ripening = [], [], {}
            for v in leaves:
                self._push(v, self.stamps[v])
        young, old = self._first(self.young, leaves), self._first(self.old, leaves)
        if young is None or old is None:
            found = old if young is None else young
            return None if found is None else found[2]
        gap = (young[0] - self.HOLD / self.SCALE) - (old[0] - self.now / self.SCALE)
        return young[2] if gap < 0 else old[2]

    def _push(self, v: Key, stamp: int) -> None:
        score, last = self.odds[v]
        if self.now - last >= self.HOLD:
            heapq.heappush(self.old, [score + last / self.SCALE, stamp, v])
        else:
            heapq.heappush(self.young, [score, stamp, v])
            self.ripening.setdefault(last + self.HOLD, []).append([v, stamp])

    def _first(self, heap: list[list[Any]], leaves: Collection[Key]) -> list[Any] | None:
        """The least entry of a heap that still speaks for a leaf."""
        while heap:
            _, stamp, v = heap[0]
            ripe = heap is self.young and self.now - self.odds.get(v, (0, 0))[1] >= self.HOLD
            if v in leaves and self.stamps.get(v) == stamp and not ripe:
                return heap[0]
            heapq.heappop(heap)
        return None

    def _look(self, path: Sequence[Key]) -> list[list[int]]:
        """Which indicators are on for each node of a path that is requested now; it is seen from now on."""
        seen, length, known = self.seen, len(path), 0
        while known < length and path[known] in seen:
            known += 1
        turn = 0
        if known > 1:
            _, _, length_then, turn_then = seen[path[known - 1]]
            turn = turn_then + 1 if known >= length_then - 1 else 0
        shared = [
            AT_TURN + min(turn, TURNS - 1),
            AT_FRESH + bisect_right(FRESH, 1 - known / length if length else 0.0),
            AT_LENGTH + bisect_right(LENGTH, length),
        ]
        rows = []
        for i, v in enumerate(path):
            uses, last, _, _ = seen.get(v, (0, -math.inf, 0, 0))
            above = AT_ABOVE + bisect_right(ABOVE_TIP, length - 1 - i)
            gap = AT_GAP + bisect_right(GAP, self.now - last)
            rows.append([min(uses, USES - 1), above, gap, *shared])
            seen[v] = [uses + 1, self.now, length, turn]
        return rows

    def _learn(self, then: int) -> None:
        """See what became of the nodes that were requested `then`; those that fared alike count at once."""
        path, rows = self.asked.pop(then, ([], []))
        back = [v in self.seen and self.seen[v][1] > then for v in path]
        for (row, returned), group in groupby(zip(rows, back, strict=True)):
            mass = sum(1 for _ in group) / math.sqrt(len(path))
            self.model.observe(row, returned, mass)
