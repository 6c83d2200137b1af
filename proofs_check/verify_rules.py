"""What every certificate is checked against: the tree, OPT, and how a field is read.

The rules. Nodes 1..n form a tree with root 0, which is free. A cache holds a closed set (with a node, its
parent) of at most `capacity` nodes. A request for v costs the nodes of its path that are missing; they are
inserted, then leaves off the path are evicted one at a time until the cache fits. OPT is the least cost of
serving the requests offline. An algorithm is rho-competitive if its (expected) cost is at most rho * OPT plus
a constant, on every sequence of requests.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

MOST_NODES, MOST_CLOSED_SETS = 62, 1 << 11


class Malformed(ValueError):  # noqa: N818 - the name says it
    """The file is not a certificate."""


class Rejected(ValueError):  # noqa: N818
    """The certificate does not prove what it claims."""


# --- the tree ---------------------------------------------------------------------------------------------


class Tree:
    """Paths and closed sets, as bitmasks: bit v stands for node v."""

    def __init__(self, parents: list[int], capacity: int, requestable: list[int]) -> None:
        self.parent, self.capacity, self.requestable = [0, *parents], capacity, requestable
        self.path = [0]
        for v in range(1, len(self.parent)):
            self.path.append(self.path[self.parent[v]] | 1 << v)
        self.depth = [path.bit_count() for path in self.path]

    def leaves(self, cached: int) -> Iterator[int]:
        """Cached nodes without a cached child, ascending."""
        inner = 0
        for v in range(1, len(self.parent)):
            if cached >> v & 1:
                inner |= 1 << self.parent[v]
        return (v for v in range(1, len(self.parent)) if cached >> v & 1 and not inner >> v & 1)

    def answers(self, cached: int, v: int) -> list[int]:
        """What a lazy algorithm may cache after a request for v: it evicts no more than it must."""
        held = {cached | self.path[v]}
        for _ in range((cached | self.path[v]).bit_count() - self.capacity):
            held = {s & ~(1 << u) for s in held for u in self.leaves(s) if u != v}
        return sorted(held)


# --- closed sets and OPT ----------------------------------------------------------------------------------


class ClosedSets:
    """Every closed set of at most `capacity` nodes on requestable paths: by size, then as numbers."""

    def __init__(self, tree: Tree) -> None:
        self.tree, union, found = tree, 0, [0]
        for v in tree.requestable:
            union |= tree.path[v]
        for v in range(1, len(tree.parent)):
            above = tree.path[tree.parent[v]]
            if union >> v & 1:
                found += [s | 1 << v for s in found if s & above == above and s.bit_count() < tree.capacity]
            if len(found) > MOST_CLOSED_SETS:
                raise Malformed(f"more than {MOST_CLOSED_SETS} closed sets")
        self.masks = sorted(found, key=lambda s: (s.bit_count(), s))
        self.number = {s: i for i, s in enumerate(self.masks)}
        larger = [(s, s | 1 << v) for s in self.masks for v in range(1, len(tree.parent)) if not s >> v & 1]
        self.steps = [(self.number[s], self.number[t]) for s, t in larger if t in self.number]
        self.holding = {v: [s & tree.path[v] == tree.path[v] for s in self.masks] for v in tree.requestable}

    def reach(self, value: Sequence[int], v: int, down: int, up: int) -> list[int]:
        """For every closed set S the least value[X] + way from X to S, over closed X that hold the path of v.

        Leaving a node behind costs `down`, taking one up costs `up`; the way leads down to the common part
        of X and S, which is closed, then up. Steps ascend in their smaller set, so one pass each way will do.
        """
        never = max(value) + (down + up) * self.tree.capacity + 1
        best = [x if holds else never for x, holds in zip(value, self.holding[v], strict=True)]
        for small, large in reversed(self.steps):
            if best[large] + down < best[small]:
                best[small] = best[large] + down
        for small, large in self.steps:
            if best[small] + up < best[large]:
                best[large] = best[small] + up
        return best


class WorkFunctions:
    """w(S) is the least cost of serving the requests so far and ending in S.

    A node may be loaded ahead of its request, at the same cost: this makes no sequence cheaper. Hence at
    first w(S) = |S|, and a request for v gives w'(S) = min of w(X) + |S minus X| over X containing its path.
    """

    def __init__(self, tree: Tree) -> None:
        self.sets = ClosedSets(tree)
        self.start = tuple(s.bit_count() for s in self.sets.masks)
        self.known: dict[tuple[tuple[int, ...], int], tuple[int, tuple[int, ...]]] = {}

    def serve(self, w: tuple[int, ...], v: int) -> tuple[int, tuple[int, ...]]:
        """Increase of OPT, and the next work function less its minimum."""
        if (w, v) not in self.known:
            after = self.sets.reach(w, v, 0, 1)
            least = min(after)
            self.known[w, v] = least, tuple(value - least for value in after)
        return self.known[w, v]


# --- fields -----------------------------------------------------------------------------------------------


def require_keys(found: Any, keys: set[str], where: str) -> None:
    if not isinstance(found, dict) or set(found) != keys:
        raise Malformed(f"{where}: is not an object with the keys {', '.join(sorted(keys))}")


def lists(found: Any, where: str, length: int | None = None) -> list[Any]:
    if not isinstance(found, list) or (length is not None and len(found) != length):
        raise Malformed(f"{where}: is not a list of the right length")
    return found


def integers(found: Any, where: str, low: int, high: int, length: int | None = None) -> list[int]:
    if not isinstance(found, list) or not all(type(x) is int and low <= x <= high for x in found):
        raise Malformed(f"{where}: is not a list of integers {low}..{high}")
    if length is not None and len(found) != length:
        raise Malformed(f"{where}: holds {len(found)} integers, not {length}")
    return found


def rational(found: Any, where: str) -> Fraction:
    if isinstance(found, str):
        top, slash, bottom = found.partition("/")
        if slash and top.removeprefix("-").isdecimal() and bottom.isdecimal() and len(found) <= 4000:
            value = Fraction(int(top), int(bottom)) if int(bottom) else None
            if value is not None and found == f"{value.numerator}/{value.denominator}":
                return value
    raise Malformed(f"{where}: is not a rational 'p/q' in lowest terms")


def rationals(found: Any, where: str, length: int | None = None) -> list[Fraction]:
    return [rational(x, where) for x in lists(found, where, length)]


def read_tree(instance: Any) -> Tree:
    require_keys(instance, {"parents", "capacity", "requestable"}, "instance")
    parents = integers(instance["parents"], "instance.parents", 0, MOST_NODES - 1)
    if not 1 <= len(parents) <= MOST_NODES or any(p > v for v, p in enumerate(parents)):
        raise Malformed(f"instance.parents: is not a list of 1 to {MOST_NODES} earlier nodes")
    (capacity,) = integers([instance["capacity"]], "instance.capacity", 1, 1 << 30)
    requestable = integers(instance["requestable"], "instance.requestable", 1, len(parents))
    tree = Tree(parents, capacity, requestable)
    if not requestable or requestable != sorted(set(requestable)):
        raise Malformed("instance.requestable: is empty or does not ascend")
    if max(tree.depth[v] for v in requestable) > capacity:
        raise Malformed("instance.requestable: a path is longer than the capacity")
    return tree
