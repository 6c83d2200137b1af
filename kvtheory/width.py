r"""The width of a prefix tree: W(T, k) and w(T, k) of the theory, exact or enclosed.

`F(l)` is the least number of nodes of a closed set with exactly `l` leaves. A closed set of at most k nodes
can be grown, one node at a time and without losing leaves, while the tree has nodes left, hence
W(T, k) = max{l : F(l) <= k+1} (1 where fewer than k+1 nodes have depth at most k) and
w(T, k) = max{l : F(l) <= k}.

Exact: `F` of a subtree is the min-plus convolution of its children's, O(leaves^2) in all because every pair
of leaves meets once. Enclosed, for more leaves than that can bear: for a price lambda per node, the best
closed set by `leaves - lambda * nodes` is found in one pass over the tree; by weak duality it bounds W from
above, and the sets met on the way that fit bound it from below.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from kvtheory._numba import njit
from kvtheory.model import LongArray, PrefixTree

EXACT_LEAVES = 50_000
PRICE_BITS = 24


@dataclass(frozen=True)
class Widths:
    """W and w of one tree and capacity; where only enclosed, `W` and `w` are the upper ends.

    Attributes:
        W: the largest number of leaves of a closed set with exactly k+1 nodes.
        w: the same with at most k nodes.
        W_lower, w_lower: lower ends; equal to `W` and `w` where the computation is exact.
    """

    W: int
    w: int
    W_lower: int
    w_lower: int

    @property
    def exact(self) -> bool:
        """Whether both widths are known exactly."""
        return self.W == self.W_lower and self.w == self.w_lower

    def harmonic_w(self) -> Fraction:
        """H_w, the w-th harmonic number."""
        return harmonic(self.w)


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
    found: dict[int, Widths] = {}
    for reach in {min(k, tree.height) for k in capacities}:
        keep = depth <= reach
        parent = tree.parent if reach == tree.height else _restrict(tree.parent, keep)
        wanted = [k for k in capacities if min(k, tree.height) == reach]
        leaves = int(np.count_nonzero(np.bincount(parent[1:], minlength=parent.size)[1:] == 0))
        enclose = _exact if leaves <= EXACT_LEAVES else _enclosed
        for k, value in zip(wanted, enclose(parent, wanted), strict=True):
            found[k] = value
    return [found[k] for k in capacities]


def width(tree: PrefixTree, capacity: int) -> Widths:
    """W and w of one tree and capacity."""
    return widths(tree, [capacity])[0]


def _restrict(parent: npt.NDArray[np.int32], keep: npt.NDArray[np.bool_]) -> npt.NDArray[np.int32]:
    """Drop nodes and renumber; what is kept must be ancestor-closed."""
    number = np.cumsum(keep, dtype=np.int32) - 1
    kept = parent[keep]
    kept[1:] = number[kept[1:]]
    return kept


def _exact(parent: npt.NDArray[np.int32], capacities: list[int]) -> list[Widths]:
    limit = min(max(capacities) + 1, parent.size - 1)
    least = least_nodes(parent, limit)
    result = []
    for k in capacities:
        w = int(np.searchsorted(least, k, side="right")) - 1
        W = int(np.searchsorted(least, k + 1, side="right")) - 1 if parent.size - 1 >= k + 1 else 1
        result.append(Widths(W, w, W, w))
    return result


@njit
def least_nodes(parent: npt.NDArray[np.int32], limit: int) -> LongArray:
    """F(0), F(1), ...: least nodes of a closed set with l leaves, cut where it exceeds `limit`.

    F increases strictly, so the cut is a prefix. Each node's table lies in its own stretch of one buffer;
    the stretches of siblings touch, and are merged from the right.
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
    # table[low[v] + i] = nodes needed below v for i+1 leaves; only `used[v]` entries are within the limit
    table = np.empty(max(leaves[0], 1), np.int64)
    used = np.zeros(n + 1, np.int64)
    merged = np.empty(max(leaves[0], 1), np.int64)
    for v in range(n, -1, -1):
        if v > 0:
            # the children of v are merged: put v itself below them
            count = used[v]
            start = low[v]
            for i in range(count):
                table[start + i] += 1
            while count > 0 and table[start + count - 1] > limit:
                count -= 1
            if count == 0:
                count = 1
            table[start] = 1
            used[v] = count
            # merge v's table into its parent's, which lies to the right of v or is empty
            p = parent[v]
            other = used[p]
            if other > 0:
                right = start + leaves[v]
                total = min(count + other, leaves[0])
                for i in range(total):
                    merged[i] = limit + 1
                for i in range(count):
                    merged[i] = table[start + i]
                for j in range(other):
                    if table[right + j] < merged[j]:
                        merged[j] = table[right + j]
                for i in range(count):
                    a = table[start + i]
                    for j in range(other):
                        b = a + table[right + j]
                        if b < merged[i + j + 1]:
                            merged[i + j + 1] = b
                while total > 0 and merged[total - 1] > limit:
                    total -= 1
                for i in range(total):
                    table[start + i] = merged[i]
                used[p] = total
            else:
                used[p] = count
    least = np.empty(used[0] + 1, np.int64)
    least[0] = 0
    for i in range(used[0]):
        least[i + 1] = table[i]
    return least


def _enclosed(parent: npt.NDArray[np.int32], capacities: list[int]) -> list[Widths]:
    result = []
    for k in capacities:
        w_lower, w = enclose_leaves(parent, k)
        W_lower, W = enclose_leaves(parent, k + 1) if parent.size - 1 >= k + 1 else (1, 1)
        result.append(Widths(W, w, W_lower, w_lower))
    return result


def enclose_leaves(parent: npt.NDArray[np.int32], budget: int) -> tuple[int, int]:
    """Lower and upper bound on the leaves of a closed set of at most `budget` nodes, by bisection."""
    unit = 1 << PRICE_BITS
    low, high = 0, unit  # price per node in units of 1/unit: 0 takes everything, 1 takes single nodes
    best, bound = 1, budget
    for _ in range(PRICE_BITS + 1):
        price = (low + high) // 2
        value, leaves, nodes = priced_set(parent, price, unit)
        bound = min(bound, (value + price * budget) // unit)
        excess = max(0, nodes - budget)
        best = max(best, leaves - excess)  # dropping a leaf frees a node and loses at most one leaf
        low, high = (price, high) if excess else (low, price)
    return best, bound


@njit
def priced_set(parent: npt.NDArray[np.int32], price: int, unit: int) -> tuple[int, int, int]:
    """Best closed set by `unit * leaves - price * nodes`: its value, leaves and nodes."""
    n = parent.size - 1
    below = np.zeros(n + 1, np.int64)
    leaves = np.zeros(n + 1, np.int64)
    nodes = np.zeros(n + 1, np.int64)
    for v in range(n, 0, -1):
        value = unit - price  # v alone, a leaf of the set
        count, size = 1, 1
        if below[v] - price > value:
            value = below[v] - price
            count, size = leaves[v], nodes[v] + 1
        if value > 0:
            p = parent[v]
            below[p] += value
            leaves[p] += count
            nodes[p] += size
    return below[0], leaves[0], nodes[0]
