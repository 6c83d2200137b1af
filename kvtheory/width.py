r"""The width of a prefix tree: W(T, k) and w(T, k) of the theory, exact or enclosed.

`F(l)` is the least number of nodes of a closed set with exactly `l` leaves. A closed set of at most k nodes
can be grown, one node at a time and without losing leaves, while the tree has nodes left, hence
W(T, k) = max{l : F(l) <= k+1} (1 where fewer than k+1 nodes have depth at most k) and
w(T, k) = max{l : F(l) <= k}.

Exact: `F` of a subtree is the min-plus convolution of its children's, O(nodes + leaves^2) in all because
every pair of leaves meets once. Enclosed, for more leaves than that can bear: for a price lambda per node,
the best closed set by `leaves - lambda * nodes` is found in one pass over the tree; by weak duality it
bounds W from above, and the sets met on the way that fit bound it from below.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from kvtheory._numba import njit
from kvtheory.model import IntArray, LongArray, PrefixTree
from kvtheory.runs import merge_runs

EXACT_LEAVES = 50_000
EXACT_HARMONIC = 1000
PRICE_BITS = 24
UNREACHED = 1 << 40


@dataclass(frozen=True)
class Widths:
    """W and w of one tree and capacity; where only enclosed, `W` and `w` are the upper ends.

    Attributes:
        W: the largest number of leaves of a closed set with exactly k+1 nodes.
        w: the same with at most k nodes.
        W_lower: lower end of W; equal to it where the computation is exact.
        w_lower: the same for w.
        k: the capacity.
    """

    W: int
    w: int
    W_lower: int
    w_lower: int
    k: int = field(default=0, compare=False)

    @property
    def exact(self) -> bool:
        """Whether both widths are known exactly."""
        return self.W == self.W_lower and self.w == self.w_lower

    def harmonic_w(self) -> Fraction:
        """H_w, the w-th harmonic number; see :func:`harmonic_above`."""
        return harmonic_above(self.w)

    def harmonic_k(self) -> Fraction:
        """H_k, the same of the capacity."""
        return harmonic_above(self.k)


def harmonic_above(n: int) -> Fraction:
    """The n-th harmonic number: exact up to 1000, beyond that rounded up by less than n / 2**64."""
    if n <= EXACT_HARMONIC:
        return harmonic(n)
    return Fraction(sum(-((-1 << 64) // i) for i in range(1, n + 1)), 1 << 64)


@lru_cache(maxsize=64)
def harmonic(n: int) -> Fraction:
    """The n-th harmonic number, exact, by binary splitting."""

    def split(low: int, high: int) -> tuple[int, int]:
        if high - low == 1:
            return 1, low
        middle = (low + high) // 2
        (a, b), (c, d) = split(low, middle), split(middle, high)
        return a * d + c * b, b * d

    return Fraction(*split(1, n + 1)) if n else Fraction(0)


def widths(tree: PrefixTree, capacities: list[int]) -> list[Widths]:
    """W and w for each capacity, in one pass where the capacities see the same tree.

    Args:
        tree: the prefixes.
        capacities: nodes the cache holds, each at least 1.
    """
    depth = tree.depth
    capacities = [min(k, tree.n + 1) for k in capacities]
    found: dict[int, Widths] = {}
    for reach in {min(k, tree.height) for k in capacities}:
        keep = depth <= reach
        parent = tree.parent if reach == tree.height else _restrict(tree.parent, keep)
        wanted = [k for k in capacities if min(k, tree.height) == reach]
        chains = Chains.of(parent)
        if chains.leaves <= EXACT_LEAVES:
            least = least_nodes(chains.parent, chains.length, chains.single, max(wanted) + 1)
            found |= {k: _exact(least, chains.nodes, k) for k in wanted}
        else:
            found |= {k: _enclosed(chains, k) for k in wanted}
    return [found[k] for k in capacities]


def width(tree: PrefixTree, capacity: int) -> Widths:
    """W and w of one tree and capacity."""
    return widths(tree, [capacity])[0]


def _restrict(parent: IntArray, keep: npt.NDArray[np.bool_]) -> IntArray:
    """Drop nodes and renumber; what is kept must be ancestor-closed."""
    number = np.cumsum(keep, dtype=np.int32) - 1
    kept = parent[keep]
    kept[1:] = number[kept[1:]]
    return kept


@dataclass(frozen=True, eq=False)
class Chains:
    """A tree with every chain of only children merged into one entry; entry 0 is the root.

    Attributes:
        parent: int32, shape (R+1,); -1 for the root.
        length: int32, shape (R+1,): nodes in each chain.
        single: int64, shape (R+1,): nodes needed for one leaf in or below each chain.
        nodes: nodes of the tree, without the root.
        leaves: its leaves.
    """

    parent: IntArray
    length: IntArray
    single: LongArray
    nodes: int
    leaves: int

    @classmethod
    def of(cls, parent: IntArray) -> Chains:
        """Merge the chains of a tree given by its parents."""
        above, length, *_ = merge_runs(parent, np.empty(0, dtype=np.int32))
        leaves = np.count_nonzero(np.bincount(above[1:], minlength=above.size)[1:] == 0)
        return cls(above, length, np.ones(above.size, dtype=np.int64), parent.size - 1, int(leaves))


def _exact(least: LongArray, nodes: int, k: int) -> Widths:
    w = int(np.searchsorted(least, k, side="right")) - 1
    W = int(np.searchsorted(least, k + 1, side="right")) - 1 if nodes > k else 1
    return Widths(W, w, W, w, k)


@njit
def least_nodes(parent: IntArray, length: IntArray, single: LongArray, limit: int) -> LongArray:
    """F(0), F(1), ...: least nodes of a closed set with l leaves, as far as it is at most `limit`.

    F increases strictly, so tables are cut where they exceed the limit. Each entry's table lies in its own
    stretch of one buffer; the stretches of siblings touch, and are merged from the right.
    """
    n = parent.size - 1
    leaves = np.zeros(n + 1, np.int64)
    for v in range(n, 0, -1):
        if leaves[v] == 0:
            leaves[v] = 1
        leaves[parent[v]] += leaves[v]
    low = np.zeros(n + 1, np.int64)
    cursor = np.zeros(n + 1, np.int64)
    for v in range(1, n + 1):
        low[v] = cursor[parent[v]]
        cursor[v] = low[v]
        cursor[parent[v]] += leaves[v]
    # table[low[v] + i]: nodes needed below v's parent, in the part merged so far, for i + 1 leaves
    table = np.empty(max(leaves[0], 1), np.int64)
    used = np.zeros(n + 1, np.int64)
    merged = np.empty(max(leaves[0], 1), np.int64)
    for v in range(n, 0, -1):
        start, p = low[v], parent[v]
        count = max(used[v], 1)
        for i in range(count):
            table[start + i] += length[v]
        table[start] = single[v]
        while count > 1 and table[start + count - 1] > limit:
            count -= 1
        other, right = used[p], start + leaves[v]
        total = count + other
        for i in range(total):
            merged[i] = UNREACHED
        for i in range(count):
            merged[i] = table[start + i]
        for j in range(other):
            merged[j] = min(merged[j], table[right + j])
        for i in range(count):
            a = table[start + i]
            for j in range(other):
                merged[i + j + 1] = min(merged[i + j + 1], a + table[right + j])
        while total > 1 and merged[total - 1] > limit:
            total -= 1
        for i in range(total):
            table[start + i] = merged[i]
        used[p] = total
    least = np.empty(used[0] + 1, np.int64)
    least[0] = 0
    for i in range(used[0]):
        least[i + 1] = table[i]
    return least


def _enclosed(chains: Chains, k: int) -> Widths:
    w_lower, w = enclose_leaves(chains, k)
    W_lower, W = enclose_leaves(chains, k + 1) if chains.nodes > k else (1, 1)
    return Widths(W, w, W_lower, w_lower, k)


def enclose_leaves(chains: Chains, budget: int) -> tuple[int, int]:
    """Lower and upper bound on the leaves of a closed set of at most `budget` nodes, by bisection."""
    unit = 1 << PRICE_BITS
    low, high = 0, unit  # price per node in units of 1/unit: 0 takes everything, 1 takes single nodes
    best, bound = 1, budget
    for _ in range(PRICE_BITS + 1):
        price = (low + high) // 2
        value, leaves, nodes = priced_set(chains.parent, chains.length, chains.single, price, unit)
        bound = min(bound, (value + price * budget) // unit)
        excess = max(0, nodes - budget)
        best = max(best, leaves - excess)  # dropping a leaf frees a node and loses at most one leaf
        low, high = (price, high) if excess else (low, price)
    return best, bound


@njit
def priced_set(
    parent: IntArray, length: IntArray, single: LongArray, price: int, unit: int
) -> tuple[int, int, int]:
    """Best closed set by `unit * leaves - price * nodes`: its value, leaves and nodes."""
    n = parent.size - 1
    below = np.zeros(n + 1, np.int64)
    leaves = np.zeros(n + 1, np.int64)
    nodes = np.zeros(n + 1, np.int64)
    for v in range(n, 0, -1):
        value = unit - price * single[v]
        count, size = 1, single[v]
        whole = below[v] - price * np.int64(length[v])
        if whole > value:
            value = whole
            count, size = leaves[v], nodes[v] + length[v]
        if value > 0:
            p = parent[v]
            below[p] += value
            leaves[p] += count
            nodes[p] += size
    return below[0], leaves[0], nodes[0]
