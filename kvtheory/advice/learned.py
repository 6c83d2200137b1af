"""Next uses predicted from the requests served so far, and from nothing else."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import ClassVar

from kvtheory.advice.predictor import Predictor
from kvtheory.object_policy import Key

USES = 8
ABOVE_TIP = (1, 2, 4, 8, 16, 32, 64)
CLASSES = USES * (len(ABOVE_TIP) + 1)


class PastWaits(Predictor):
    """A node returns after the mean wait of its kind, until it has waits of its own.

    A node's kind is how often it was requested and how far it is above the prompt's tip. A kind's mean wait
    is the time that its nodes have waited, those that never came back included, over the number of times
    that one came back: the maximum likelihood estimate where waits are exponential and some are not over
    yet. With `n` waits of its own, which sum to `s`, a node's estimate is `(SHARE * mean + s) / (SHARE +
    n)`: the kind's mean counts as `SHARE` of its own waits. A node is forgotten `MEMORY` requests after its
    last, at the latest twice that.
    """

    SHARE: ClassVar[int] = 2
    MEMORY: ClassVar[int] = 9600

    def __init__(self) -> None:
        self.now = -1
        self.seen: dict[Key, list[int]] = {}
        """Of each node remembered: requests, the first and the last of them, and its kind since the last."""
        self.returns = [0] * CLASSES
        self.waited = [0] * CLASSES
        """Sum of the waits of each kind that are over."""
        self.waiting = [0] * CLASSES
        """Nodes of each kind that wait now."""
        self.since = [0] * CLASSES
        """Sum of the times at which they began to."""

    def predict(self, path: Sequence[Key]) -> list[int]:
        self.now += 1
        now, found = self.now, []
        if now % self.MEMORY == self.MEMORY - 1:
            self._forget()
        for i, v in enumerate(path):
            uses, first, last, kind = self.seen.get(v, (0, now, now, 0))
            if uses:
                self._stop(kind, last)
                self.returns[kind] += 1
            kind = min(uses, USES - 1) * (len(ABOVE_TIP) + 1) + bisect_right(ABOVE_TIP, len(path) - 1 - i)
            self.seen[v] = [uses + 1, first, now, kind]
            self.waiting[kind] += 1
            self.since[kind] += now
            mean = (1 + self.waited[kind] + self.waiting[kind] * now - self.since[kind]) / (
                1 + self.returns[kind]
            )
            wait = (self.SHARE * mean + now - first) / (self.SHARE + uses)
            found.append(now + max(1, round(wait)))
        return found

    def _stop(self, kind: int, last: int) -> None:
        """A node of a kind no longer waits."""
        self.waiting[kind] -= 1
        self.since[kind] -= last
        self.waited[kind] += self.now - last

    def _forget(self) -> None:
        for v in [v for v, note in self.seen.items() if note[2] <= self.now - self.MEMORY]:
            _, _, last, kind = self.seen.pop(v)
            self._stop(kind, last)
