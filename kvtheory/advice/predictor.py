"""What a predictor is, and what of a policy's choice follows from its predictions alone.

Time is counted in requests: the first is number 0. A predictor is asked once in every request, before
anything is evicted, and names for each node of the path the number of the next request that it expects to
hold the node.
"""

from __future__ import annotations

import heapq
from collections.abc import Container, Sequence

from kvtheory.object_policy import Key, Memory

NEVER = 1 << 62
"""The next use of a node that is not expected again."""


class Predictor(Memory):
    """Says when nodes will be requested next; its attributes are its memory."""

    def predict(self, path: Sequence[Key]) -> list[int]:
        """A request for `path`, root to tip, arrives: the next use of each of its nodes, by number."""
        raise NotImplementedError


class Expected(Memory):
    """Cached nodes by when they are expected, and the leaf that is expected last.

    A node that was expected by now and has not come is *overdue*: what was predicted is known to be wrong.
    It is expected after as long again as it has waited, that is at `2 now - last` if it was last requested
    at `last`. Where predictions are right nothing is ever overdue.
    """

    def __init__(self) -> None:
        self.now = -1
        self.when: dict[Key, list[int]] = {}
        """Of each cached node: when it is expected, and when it was last requested."""
        self.stamps: dict[Key, int] = {}
        self.stamp = 0
        self.far: list[list[Key]] = []
        """Leaves as (-expected, stamp, node), a heap."""
        self.late: list[list[Key]] = []
        """Overdue leaves as (last, stamp, node), a heap."""
        self.due: dict[int, list[list[Key]]] = {}
        """Leaves as (stamp, node), by when they are overdue."""

    def __len__(self) -> int:
        return len(self.when)

    def tick(self) -> None:
        """The next request arrives."""
        self.now += 1
        for stamp, v in self.due.pop(self.now, ()):
            if self.stamps.get(v) == stamp:
                heapq.heappush(self.late, [self.when[v][1], stamp, v])

    def expect(self, v: Key, when: int) -> None:
        """Node `v` is requested now, and expected again at `when`."""
        self.when[v] = [when, self.now]
        self.stamps.pop(v, None)

    def offer(self, v: Key) -> None:
        """Node `v` may be chosen from now on; of two expected together the one offered first goes."""
        self.stamp += 1
        self.stamps[v] = self.stamp
        when, last = self.when[v]
        if when <= self.now:
            heapq.heappush(self.late, [last, self.stamp, v])
            return
        heapq.heappush(self.far, [-when, self.stamp, v])
        if when < NEVER:
            self.due.setdefault(when, []).append([self.stamp, v])

    def forget(self, v: Key) -> None:
        """Node `v` has left the cache."""
        self.when.pop(v, None)
        self.stamps.pop(v, None)

    def last(self, leaves: Container[Key]) -> Key | None:
        """Of the nodes offered and among `leaves` the one that is expected last; None if there is none."""
        far, late = self._first(self.far, leaves, early=True), self._first(self.late, leaves, early=False)
        if far is None or late is None:
            found = late if far is None else far
            return None if found is None else found[2]
        return late[2] if 2 * self.now - late[0] >= -far[0] else far[2]

    def _first(self, heap: list[list[Key]], leaves: Container[Key], *, early: bool) -> list[Key] | None:
        """The least entry of a heap that still speaks for a leaf."""
        while heap:
            key, stamp, v = heap[0]
            if v in leaves and self.stamps.get(v) == stamp and not (early and -key <= self.now):
                return heap[0]
            heapq.heappop(heap)
        return None
