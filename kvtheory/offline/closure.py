"""What the tree adds to the interval program: fixings, closure rows and cover cuts, all in integers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kvtheory.model import LongArray
from kvtheory.offline.intervals import Intervals
from kvtheory.offline.program import FloatArray, Rows

TOLERANCE = 1e-6
NO_ROWS = Rows.of([])


class Closure:
    """Integer reasoning about closed sets at every request, for pieces of one node each.

    To keep node v over an interval, its whole path must be there at every request spanned, together with the
    pinned path and with whatever is already decided. Where that does not fit, the interval cannot be kept.

    Args:
        problem: intervals of pieces of one node; they are the program's first columns.
    """

    def __init__(self, problem: Intervals) -> None:
        self.problem = problem
        count, requests = len(problem.nodes), len(problem.trace)
        self.pinned = np.zeros((count, requests + 1), dtype=np.bool_)
        if not problem.bypass:
            for t, path in enumerate(problem.paths):
                self.pinned[path, t] = True
        self.need = np.zeros(count, dtype=np.int64)
        for p in range(1, count):
            self.need[p] = self.need[problem.above[p]] + problem.size[p]
        low, high = problem.span
        self.spans: list[tuple[LongArray, LongArray]] = []
        self.parts: list[tuple[LongArray, LongArray] | None] = []
        self.inside: list[tuple[LongArray, LongArray]] = []
        part_low, part_high = problem.within
        for p in range(count):
            mine = np.arange(problem.first[p], problem.first[p + 1])
            real = mine[low[mine] < high[mine]]
            self.spans.append((real, _interleaved(low[real], high[real])))
            nested = problem.above[p] > 0 and mine.size > 0
            self.parts.append((mine, _interleaved(part_low[mine], part_high[mine])) if nested else None)
        self.on_step: list[list[int]] = [[] for _ in range(requests)]
        for i in range(len(problem)):
            for t in range(int(low[i]), int(high[i])):
                self.on_step[t].append(i)

    def propagate(self, low: LongArray, high: LongArray) -> bool:
        """Tighten bounds in place: kept nodes need ancestors, closed sets must fit; False if they cannot."""
        problem = self.problem
        part_low, part_high = problem.within
        for p in range(len(problem.nodes) - 1, 0, -1):
            if self.parts[p] is not None:
                for i in range(int(problem.first[p]), int(problem.first[p + 1])):
                    if low[i]:
                        low[part_low[i] : part_high[i]] = 1
        forced = self.pinned.copy()
        start, end = problem.span
        for i in np.flatnonzero(low[: len(problem)]).tolist():
            forced[problem.owner[i], start[i] : end[i]] = True
        size = np.array(problem.size, dtype=np.int64)
        used = size @ forced
        if int(used.max(initial=0)) > problem.capacity:
            return False
        shared = np.zeros(forced.shape, dtype=np.int64)
        for p in range(1, len(problem.nodes)):
            shared[p] = shared[problem.above[p]] + size[p] * forced[p]
            real, bounds = self.spans[p]
            if real.size:
                worst = np.maximum.reduceat(used - shared[p], bounds)[::2]
                high[real[worst + self.need[p] > problem.capacity]] = 0
            part = self.parts[p]
            if part is not None:
                mine, bounds = part
                padded = np.append(high[: len(problem)], 0)
                high[mine] = np.minimum(high[mine], np.minimum.reduceat(padded, bounds)[::2])
        return bool((low <= high).all())

    def separate(self, x: FloatArray) -> Rows:
        """Closure rows that a point violates: a whole point without any is a closed schedule."""
        rows = self._closure_rows(x[: len(self.problem)])
        return Rows.of(rows) if rows else NO_ROWS

    def strengthen(self, x: FloatArray) -> Rows:
        """Closure rows, and cover cuts where few of those are violated."""
        x = x[: len(self.problem)]
        rows = self._closure_rows(x)
        if len(rows) < 30:
            rows += self._covers(x)
        return Rows.of(rows) if rows else NO_ROWS

    def _closure_rows(self, x: FloatArray) -> list[tuple[list[int], list[int], int]]:
        rows: list[tuple[list[int], list[int], int]] = []
        padded = np.append(x, 0.0)
        for part in self.parts:
            if part is None:
                continue
            mine, bounds = part
            least = np.minimum.reduceat(padded, bounds)[::2]
            for at in np.flatnonzero(x[mine] > least + TOLERANCE).tolist():
                start, stop = int(bounds[2 * at]), int(bounds[2 * at + 1])
                rows.append(([int(mine[at]), start + int(x[start:stop].argmin())], [1, -1], 0))
        return rows

    def _covers(self, x: FloatArray) -> list[tuple[list[int], list[int], int]]:
        """Sets of intervals whose closures do not fit together at some request: not all of them are kept."""
        rows: dict[tuple[int, ...], tuple[list[int], list[int], int]] = {}
        loose = (x > TOLERANCE) & (x < 1 - TOLERANCE)
        for t, spanning in enumerate(self.on_step):
            candidates = [i for i in spanning if x[i] > TOLERANCE]
            if any(loose[i] for i in candidates):
                cover = self._cover(t, candidates, x)
                if cover and sum(1 - x[i] for i in cover) < 1 - 1e-4:
                    rows.setdefault(tuple(cover), (cover, [1] * len(cover), len(cover) - 1))
        return list(rows.values())

    def _cover(self, t: int, candidates: list[int], x: FloatArray) -> list[int]:
        """Greedy: the interval that takes most room for what it lacks to 1, until the set overflows."""
        above, size, owner = self.problem.above, self.problem.size, self.problem.owner
        held: set[int] = set() if self.problem.bypass else set(self.problem.paths[t])
        used = sum(size[p] for p in held)
        cover: list[int] = []
        waiting = [(int(owner[i]), i) for i in candidates]
        while used <= self.problem.capacity:
            best, chosen = np.inf, None
            for p, i in waiting:
                room, q = 0, p
                while q > 0 and q not in held:
                    room += size[q]
                    q = above[q]
                if room:
                    score = (1 - float(x[i]) + 1e-4) / min(room, self.problem.capacity + 1 - used)
                    if score < best:
                        best, chosen = score, (p, i)
            if chosen is None:
                return []
            q = chosen[0]
            ancestors = set()
            while q > 0:
                ancestors.add(q)
                if q not in held:
                    held.add(q)
                    used += size[q]
                q = above[q]
            cover = [i for i in cover if int(owner[i]) not in ancestors] + [chosen[1]]
        return sorted(cover)


def _interleaved(low: LongArray, high: LongArray) -> npt.NDArray[np.int64]:
    """low0, high0, low1, high1, ...: every second result of `reduceat` is then the range's."""
    both = np.empty(2 * low.size, dtype=np.int64)
    both[::2], both[1::2] = low, high
    return both
