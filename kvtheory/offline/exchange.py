"""From what is kept over each interval to a closed schedule, and back."""

from __future__ import annotations

from collections.abc import Sequence

from kvtheory.model import LongArray
from kvtheory.offline.intervals import Intervals


def closed_keep(problem: Intervals, keep: LongArray) -> LongArray:
    """Turn a nested problem's solution into a closed one that costs no more.

    Exchange: where a piece is kept over an interval while the piece above it is not kept over a part of it,
    keep the upper one over that part instead, starting with the deepest. The part is shorter, the gain no
    smaller.
    """
    keep = keep.copy()
    count = len(problem.nodes)
    most = [len(x) for x in problem.nodes]
    current = [-1] * count
    upcoming = problem.first[:count].tolist()
    last = problem.first.tolist()
    held = [0] * count
    alive: list[set[int]] = [set() for _ in range(count)]

    def refresh(p: int) -> None:
        while p > 0:
            q = problem.above[p]
            live = held[p] > 0 or bool(alive[p])
            if live == (p in alive[q]):
                return
            (alive[q].add if live else alive[q].discard)(p)
            p = q

    for path in problem.paths:
        for p in reversed(path):
            i = upcoming[p]
            current[p] = i if i < last[p + 1] else -1
            upcoming[p] = i + 1
            held[p] = int(keep[i]) if current[p] >= 0 else 0
            refresh(p)
        for p in path:
            while held[p] < most[p] and alive[p] and current[p] >= 0:
                w = p
                while alive[w]:
                    w = min(alive[w])
                moved = min(most[p] - held[p], held[w])
                for piece, change in ((p, moved), (w, -moved)):
                    held[piece] += change
                    keep[current[piece]] += change
                refresh(w)
            refresh(p)
    return keep


def victims_of(problem: Intervals, keep: LongArray) -> list[list[int]]:
    """Victims per request of the schedule that keeps the top `keep[i]` nodes of a piece over interval i."""
    upcoming = problem.first[:-1].tolist()
    last = problem.first.tolist()
    steps: list[list[int]] = []
    dropped: list[int] = []
    for path in problem.paths:
        dropping: list[int] = []
        for p in reversed(path):
            i = upcoming[p]
            upcoming[p] = i + 1
            held = int(keep[i]) if i < last[p + 1] else 0
            dropping.extend(reversed(problem.nodes[p][held:]))
        if problem.bypass:
            steps.append(dropping)
            continue
        staying = {u for p in path for u in problem.nodes[p]}
        steps.append([u for u in dropped if u not in staying])
        dropped = dropping
    return steps


def kept_by(problem: Intervals, victims: Sequence[Sequence[int]]) -> LongArray:
    """How many nodes of each interval a schedule keeps to the end."""
    piece = {v: p for p, nodes in enumerate(problem.nodes) for v in nodes}
    upcoming = problem.first[:-1].tolist()
    stop = problem.first[1:].tolist()
    keep = problem.most.copy()
    for path, evicted in zip(problem.paths, victims, strict=True):
        for p in path:
            upcoming[p] += 1
        for v in evicted:
            p = piece[v]
            if upcoming[p] - 1 < stop[p]:
                keep[upcoming[p] - 1] -= 1
    return keep
