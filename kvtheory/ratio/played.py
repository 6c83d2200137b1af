"""The best randomised algorithm, replayed on a trace as any other policy is.

The file's states may prefetch. The cache that is replayed is lazy: it holds those nodes of the drawn state
that were requested since they last left it, and the requested path; so it misses no more than the drawn
states load, and the file's ratio bounds its misses: `E[misses] <= ratio * OPT + constant`. The work function
moves with the requests alone; each request that is not empty takes one draw from :mod:`kvtheory.rng`.

The trace's tree need not be numbered as the file's. Its requested part is matched to the file's tree, root to
root and children to children, requested nodes to requestable ones: to the same numbers where that fits, else
children in ascending order, each to the first child that leaves places for the others. Any match is as good
as another: the ratio holds for every sequence of requests to the file's tree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import lcm
from typing import TYPE_CHECKING

import numpy as np

from kvtheory._numba import njit
from kvtheory.engine.draw import draw
from kvtheory.engine.kernel import Replay
from kvtheory.errors import InputError
from kvtheory.model import ROOT, IntArray, LongArray, Trace
from kvtheory.ratio.instance import Instance
from kvtheory.rng import MASK64

if TYPE_CHECKING:
    from kvtheory.ratio.minimax_policy import RandomizedPolicy

LARGEST_DRAW = 1 << 62


@dataclass(frozen=True)
class Tables:
    """A policy as arrays: what can be drawn for each work function, request and state.

    Attributes:
        next: int32, shape (Q, R): the work function after a request.
        base: int64, shape (Q, R): the slot of the first state of work function q; the others follow.
        begin: int64, shape (slots + 1,): a slot's choices are `begin[slot]` to `begin[slot + 1]`.
        total: int64, shape (slots,): sum of its weights.
        weight, place, mask: int64, one per choice: its weight; the state after it, by its place in the next
            work function's distribution and as a bitmask.
    """

    next: IntArray
    base: LongArray
    begin: LongArray
    total: LongArray
    weight: LongArray
    place: LongArray
    mask: LongArray


@dataclass(frozen=True, eq=False)
class PlayedPolicy:
    """An emitted policy as a competitor.

    Attributes:
        name: the file it came from.
        policy: its tables and proof.
    """

    name: str
    policy: RandomizedPolicy

    @property
    def instance(self) -> Instance:
        """Tree, capacity and requestable nodes."""
        return self.policy.instance

    @property
    def ratio(self) -> Fraction:
        """The proved competitive ratio."""
        return self.policy.ratio

    @property
    def constant(self) -> Fraction:
        """The additive constant of the proof: the potential falls by no more than this."""
        return self.policy.potential[0] - min(self.policy.potential)

    @cached_property
    def tables(self) -> Tables:
        """The policy as arrays.

        Raises:
            InputError: if a draw needs more than 62 bits.
        """
        functions, requests = self.policy.works.next.shape
        closed = self.instance.closed.tolist()
        places = [{i: n for n, i in enumerate(row)} for row in self.policy.distribution]
        base = np.zeros((functions, requests), dtype=np.int64)
        begin = [0]
        total: list[int] = []
        weight: list[int] = []
        place: list[int] = []
        mask: list[int] = []
        for q, r in np.ndindex(functions, requests):
            base[q, r] = len(total)
            after = places[int(self.policy.works.next[q, r])]
            slots: list[list[tuple[int, Fraction]]] = [[] for _ in places[q]]
            for (i, j), x in self.policy.coupling[q][r].items():
                slots[places[q][i]].append((j, x))
            for slot in slots:
                unit = lcm(*(x.denominator for _, x in slot))
                weight += [int(x * unit) for _, x in slot]
                place += [after[j] for j, _ in slot]
                mask += [closed[j] for j, _ in slot]
                total.append(sum(int(x * unit) for _, x in slot))
                begin.append(len(weight))
        if max(total) > LARGEST_DRAW:
            raise InputError("its probabilities need draws of more than 62 bits", file=self.name)
        arrays = [np.array(values, dtype=np.int64) for values in (begin, total, weight, place, mask)]
        return Tables(self.policy.works.next, base, *arrays)

    def require_capacity(self, capacity: int) -> None:
        """Raise InputError unless the policy was made for this capacity."""
        if capacity != self.instance.capacity:
            raise InputError(
                f"{self.name} is for a cache of {self.instance.capacity}, not {capacity}", field="capacity"
            )

    def prepare(self, trace: Trace, capacity: int, seed: int) -> Callable[[], Replay]:
        """The replay as a call that does nothing else.

        Args:
            trace: requests whose paths fit, to nodes of the policy's tree.
            capacity: nodes the cache holds, the policy's.
            seed: seed of every draw.

        Raises:
            InputError: if the capacity is another, or the trace's tree does not fit into the policy's.
        """
        self.require_capacity(capacity)
        key = f"played as {id(self)}"
        if key not in trace.memo:
            trace.memo[key] = self, self._columns(trace)  # kept with its owner: ids are reused
        _, (column, path) = trace.memo[key]
        t, tree = self.tables, trace.tree
        hit = np.empty(len(trace), dtype=np.int32)
        word = np.uint64(seed & MASK64)

        def run() -> Replay:
            evictions = _replay(
                tree.parent, tree.depth, trace.requests, column, path,
                t.next, t.base, t.begin, t.total, t.weight, t.place, t.mask, word, hit,
            )  # fmt: skip
            return Replay(hit, int(evictions), np.empty(0, dtype=np.int32))

        return run

    def _columns(self, trace: Trace) -> tuple[IntArray, LongArray]:
        """For each node of the trace, its column in the policy's tables and its path as a bitmask."""
        found = match(trace, self.instance)
        if found is None:
            raise InputError(f"the requests do not fit into the tree of {self.name}", file=trace.source)
        number = {v: r for r, v in enumerate(self.instance.requestable)}
        column = np.full(trace.tree.n + 1, -1, dtype=np.int32)
        path = np.zeros(trace.tree.n + 1, dtype=np.int64)
        for u, v in found.items():
            column[u] = number.get(v, -1)
            path[u] = self.instance.paths[v]
        return column, path


def match(trace: Trace, instance: Instance) -> dict[int, int] | None:
    """Where the requested part of a trace's tree lies in an instance's: node to node, the root included.

    None where it does not fit; which match it is, the head of this module says.
    """
    requested = set(np.unique(trace.requests).tolist()) - {ROOT}
    parent = trace.tree.parent
    below: dict[int, list[int]] = {ROOT: []}
    for v in sorted(requested):
        above = v
        while above not in below:
            below[above] = []
            above = int(parent[above])
            if len(below) > instance.tree.n + 1:
                return None
    for v in sorted(below.keys() - {ROOT}):
        below[int(parent[v])].append(v)
    allowed = set(instance.requestable)
    same = all(v <= instance.tree.n and instance.parents[v] == parent[v] for v in below if v)
    if same and requested <= allowed:
        return {v: v for v in below}
    children: list[list[int]] = [[] for _ in instance.parents]
    for x in range(1, instance.tree.n + 1):
        children[instance.parents[x]].append(x)
    known: dict[tuple[int, int], dict[int, int] | None] = {}

    def fit(u: int, x: int) -> dict[int, int] | None:
        if (u, x) not in known:
            served = u not in requested or x in allowed
            known[u, x] = _assign(below[u], children[x], fit) if served else None
        inside = known[u, x]
        return None if inside is None else {u: x, **inside}

    return fit(ROOT, ROOT)


def _assign(
    left: list[int], right: list[int], fit: Callable[[int, int], dict[int, int] | None]
) -> dict[int, int] | None:
    """Every left subtree into a right one of its own; all nodes below, or None if that cannot be.

    In order, each takes the first place that leaves places for the others.
    """
    found: dict[int, int] = {}
    free = list(right)
    for i, u in enumerate(left):
        for x in free:
            inside = fit(u, x)
            rest = [y for y in free if y != x]
            if inside is not None and _all_fit(left[i + 1 :], rest, fit):
                found.update(inside)
                free = rest
                break
        else:
            return None
    return found


def _all_fit(left: list[int], right: list[int], fit: Callable[[int, int], dict[int, int] | None]) -> bool:
    """Whether all of `left` have places of their own, by augmenting paths."""
    owner: dict[int, int] = {}

    def place(u: int, tried: set[int]) -> bool:
        for x in right:
            if x not in tried and fit(u, x) is not None:
                tried.add(x)
                if x not in owner or place(owner[x], tried):
                    owner[x] = u
                    return True
        return False

    return len(left) <= len(right) and all(place(u, set()) for u in left)


@njit
def _bits(mask: int) -> int:
    count = 0
    while mask:
        mask &= mask - 1
        count += 1
    return count


@njit
def _replay(
    parent: IntArray,
    depth: IntArray,
    requests: IntArray,
    column: IntArray,
    path: LongArray,
    next_work: IntArray,
    base: LongArray,
    begin: LongArray,
    total: LongArray,
    weight: LongArray,
    place: LongArray,
    mask: LongArray,
    seed: np.uint64,
    hit: IntArray,
) -> int:
    random_state = np.full(1, seed, np.uint64)
    q, at, evictions = 0, 0, 0
    held = np.int64(0)
    for t in range(requests.size):
        v = requests[t]
        if v == 0:
            hit[t] = 0
            continue
        r = column[v]
        found = _bits(held & path[v])
        u = v
        while depth[u] > found:
            u = parent[u]
        hit[t] = u
        slot = base[q, r] + at
        mass = draw(random_state, total[slot])
        i = begin[slot]
        while mass >= weight[i]:
            mass -= weight[i]
            i += 1
        evictions += _bits(held & ~mask[i])
        held = held & mask[i] | path[v]
        at = place[i]
        q = next_work[q, r]
    return evictions
