"""The interval formulation: for every node and every two consecutive uses, is it kept in between?

A schedule that evicts a node just after a use loses nothing against one that evicts it later, before the
next: so a schedule is the set of intervals it keeps. Serving with nothing kept costs `base`; keeping node v
over an interval earns `gain[v] = miss cost - hit cost`. Without bypass the nodes of the current path are
pinned, so at request t the intervals that span t (start < t < end) share `capacity - |path(t)|`. With
bypass the nodes kept between requests t and t+1 (start <= t < end) share the whole capacity.

Pieces. Where all sizes are equal and gains do not grow with depth, the nodes of a run (always requested
together) with equal gain form one piece, and its variable counts kept nodes from the top. Elsewhere a piece
is one node.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from kvtheory.errors import InputError
from kvtheory.model import LongArray, Trace
from kvtheory.offline.program import IntegerProgram, Rows


@dataclass(frozen=True, eq=False)
class Intervals:
    """An eviction problem in interval form.

    Attributes:
        trace: the requests; every path fits.
        capacity: nodes, or units of size.
        bypass: whether a served path may be dropped at once.
        base: integer cost with nothing kept.
        nested: gains never grow with depth and sizes are equal: closure is free.
        nodes: for each piece, its nodes, top first; piece 0 is the root and empty.
        above: for each piece, the piece above it; -1 for the root.
        gain: for each piece, what keeping one of its nodes over one interval earns.
        size: for each piece, units of capacity of one of its nodes.
        paths: for each request, its pieces, top first.
        first: for each piece, its intervals are `first[p]..first[p+1]-1`, in order of time.
        owner, start, end: for each interval, its piece and the two requests that bound it.
    """

    trace: Trace
    capacity: int
    bypass: bool
    base: int
    nested: bool
    nodes: list[list[int]]
    above: list[int]
    gain: list[int]
    size: list[int]
    paths: list[list[int]]
    first: LongArray
    owner: LongArray
    start: LongArray
    end: LongArray
    load: LongArray = field(repr=False)

    def __len__(self) -> int:
        return int(self.owner.size)

    @cached_property
    def most(self) -> LongArray:
        """Nodes of each interval's piece, int64."""
        return np.array([len(x) for x in self.nodes], dtype=np.int64)[self.owner]

    @cached_property
    def gains(self) -> LongArray:
        """Gain per kept node of each interval."""
        return np.array(self.gain, dtype=np.int64)[self.owner]

    @cached_property
    def sizes(self) -> LongArray:
        """Size per kept node of each interval."""
        return np.array(self.size, dtype=np.int64)[self.owner]

    @cached_property
    def span(self) -> tuple[LongArray, LongArray]:
        """First and one past the last request at which each interval takes room."""
        return self.start + (0 if self.bypass else 1), self.end

    @cached_property
    def within(self) -> tuple[LongArray, LongArray]:
        """For each interval, the intervals inside it of the piece above: first, one past the last."""
        low = np.zeros(len(self), dtype=np.int64)
        high = np.zeros(len(self), dtype=np.int64)
        for p in range(1, len(self.nodes)):
            q = self.above[p]
            mine = slice(int(self.first[p]), int(self.first[p + 1]))
            if q > 0 and mine.start < mine.stop:
                offset, stop = int(self.first[q]), int(self.first[q + 1])
                low[mine] = offset + np.searchsorted(self.start[offset:stop], self.start[mine])
                high[mine] = offset + np.searchsorted(self.end[offset:stop], self.end[mine]) + 1
        return low, high

    def value(self, keep: LongArray) -> int:
        """Cost of keeping `keep[i]` nodes over each interval i."""
        return self.base - int((self.gains * keep).sum())


def intervals_of(
    trace: Trace,
    capacity: int,
    miss: Sequence[int],
    hit: Sequence[int] | None = None,
    size: Sequence[int] | None = None,
    *,
    bypass: bool = False,
    merge: bool = True,
) -> Intervals:
    """The interval form of a trace.

    Args:
        trace: the requests.
        capacity: nodes, or units of `size`.
        miss: integer miss cost of each node.
        hit: integer hit cost of each node; default 0.
        size: units of capacity of each node; default 1.
        bypass: a served path need not stay in the cache.
        merge: merge the nodes of a run into one piece where that is exact.

    Raises:
        InputError: if a path does not fit, a hit is dearer than a miss, or a size is not positive.
    """
    tree, requests = trace.tree, trace.requests.tolist()
    gains = list(miss) if hit is None else [m - h for m, h in zip(miss, hit, strict=True)]
    units = [0, *([1] * tree.n)] if size is None else [int(s) for s in size]
    if capacity < 1:
        raise InputError(f"capacity {capacity}: a cache holds at least one node", field="capacity")
    for v in range(1, tree.n + 1):
        if gains[v] < 0:
            raise InputError(f"node {v}: a hit is dearer than a miss", field="hit_cost")
        if units[v] < 1:
            raise InputError(f"node {v} has size {units[v]}: sizes are positive", field="size")
    load = tree.path_sums(np.array(units, dtype=np.int64))[trace.requests]
    if load.size and int(load.max()) > capacity:
        t = int(load.argmax())
        message = f"request {t}: the path of node {requests[t]} takes {load[t]} of a capacity of {capacity}"
        raise InputError(message + ": cut the trace first", field="capacity")
    parent = tree.parent.tolist()
    used = _used(parent, requests)
    inner = [v for v in used if parent[v]]
    equal = all(units[v] == units[parent[v]] for v in inner) and len({units[v] for v in used}) <= 1
    nested = equal and all(gains[v] <= gains[parent[v]] for v in inner)
    nodes, above, piece_of = _pieces(parent, requests, used, gains, merge=merge and nested)
    paths = _paths(requests, piece_of, above)
    uses: list[list[int]] = [[] for _ in nodes]
    for t, path in enumerate(paths):
        for piece in path:
            uses[piece].append(t)
    first = np.zeros(len(nodes) + 1, dtype=np.int64)
    np.cumsum([max(0, len(u) - 1) for u in uses], out=first[1:])
    path_miss = tree.path_sums(np.array([0, *miss[1:]], dtype=np.int64))
    return Intervals(
        trace,
        capacity,
        bypass,
        int(path_miss[trace.requests].sum()),
        nested,
        nodes,
        above,
        [0, *(gains[piece[0]] for piece in nodes[1:])],
        [0, *(units[piece[0]] for piece in nodes[1:])],
        paths,
        first,
        np.repeat(np.arange(len(nodes)), np.diff(first)),
        np.array([t for u in uses for t in u[:-1]], dtype=np.int64),
        np.array([t for u in uses for t in u[1:]], dtype=np.int64),
        load,
    )


def _used(parent: Sequence[int], requests: Sequence[int]) -> list[int]:
    """The nodes on some requested path, parents first."""
    used = {0}
    for v in set(requests):
        while v not in used:
            used.add(v)
            v = parent[v]  # noqa: PLW2901
    return sorted(used - {0})


def _pieces(
    parent: Sequence[int], requests: Sequence[int], used: Sequence[int], gains: Sequence[int], *, merge: bool
) -> tuple[list[list[int]], list[int], list[int]]:
    """The nodes of each piece, the piece above each, and the piece of each node; see the module."""
    children = [0] * len(parent)
    for v in used:
        children[parent[v]] += 1
    ends = {0, *requests}
    nodes: list[list[int]] = [[]]
    above = [-1]
    piece_of = [0] * len(parent)
    for v in used:
        p = parent[v]
        if merge and p not in ends and children[p] == 1 and gains[p] == gains[v]:
            piece_of[v] = piece_of[p]
            nodes[piece_of[v]].append(v)
        else:
            piece_of[v] = len(nodes)
            nodes.append([v])
            above.append(piece_of[p])
    return nodes, above, piece_of


def _paths(requests: Sequence[int], piece_of: Sequence[int], above: Sequence[int]) -> list[list[int]]:
    """The pieces of each request's path, top first."""
    paths = []
    for v in requests:
        path = []
        piece = piece_of[v]
        while piece > 0:
            path.append(piece)
            piece = above[piece]
        paths.append(path[::-1])
    return paths


def capacity_steps(problem: Intervals) -> tuple[LongArray, LongArray, LongArray]:
    """The requests whose capacity can bind, and which of them each interval spans.

    A request is dropped where everything that spans it fits at once, or where all that spans it also spans a
    neighbour with no more room.

    Returns:
        Room at each request kept; for each interval the first and one past the last request kept that it
        spans.
    """
    requests = len(problem.trace)
    low, high = problem.span
    room = np.full(requests, problem.capacity, dtype=np.int64)
    if not problem.bypass:
        room -= problem.load
    takes = problem.sizes * problem.most
    change = np.zeros(requests + 1, dtype=np.int64)
    real = low < high
    np.add.at(change, low[real], takes[real])
    np.add.at(change, high[real], -takes[real])
    binding = np.cumsum(change)[:requests] > room
    opens = np.zeros(requests + 1, dtype=np.bool_)
    closes = np.zeros(requests + 1, dtype=np.bool_)
    opens[low[real]] = True
    closes[high[real] - 1] = True
    kept: list[int] = []
    for t in np.flatnonzero(binding).tolist():
        if kept and not opens[kept[-1] + 1 : t + 1].any() and room[kept[-1]] <= room[t]:
            continue
        while kept and not closes[kept[-1] : t].any() and room[t] <= room[kept[-1]]:
            kept.pop()
        kept.append(t)
    steps = np.array(kept, dtype=np.int64)
    return room[steps], np.searchsorted(steps, low), np.searchsorted(steps, high)


def interval_program(problem: Intervals, *, differenced: bool = False) -> IntegerProgram:
    """Capacity as an integer program; closure rows are not included.

    Args:
        problem: the intervals.
        differenced: subtract consecutive capacity rows and add their slacks as columns: each interval is
            then in two rows (the constraint matrix of a network where sizes are equal) instead of one per
            step spanned.
    """
    room, low, high = capacity_steps(problem)
    count, steps = len(problem), room.size
    columns = np.arange(count)
    real = low < high
    if not differenced:
        lengths = np.where(real, high - low, 0)
        row = np.repeat(low, lengths) + _ranges(lengths)
        column = np.repeat(columns, lengths)
        rows = Rows(row, column, problem.sizes[column], room, np.zeros(steps, dtype=np.bool_))
        return IntegerProgram(-problem.gains, problem.most, rows, problem.base)
    leaves = real & (high < steps)
    slack = np.arange(steps)
    row = np.concatenate([low[real], high[leaves], slack, slack[1:]])
    column = np.concatenate([columns[real], columns[leaves], count + slack, count + slack[:-1]])
    ones = np.ones(steps, dtype=np.int64)
    value = np.concatenate([problem.sizes[real], -problem.sizes[leaves], ones, -ones[1:]])
    rows = Rows(row, column, value, np.diff(room, prepend=0), np.ones(steps, dtype=np.bool_))
    return IntegerProgram(
        np.concatenate([-problem.gains, 0 * ones]),
        np.concatenate([problem.most, room]),
        rows,
        problem.base,
    )


def _ranges(lengths: LongArray) -> LongArray:
    """0..l-1 for each length, joined."""
    total = int(lengths.sum())
    return np.arange(total) - np.repeat(np.cumsum(lengths) - lengths, lengths)
