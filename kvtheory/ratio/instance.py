"""One finite game: a tree, a capacity, the nodes that may be requested, and the cache states they allow.

A cache state is a bitmask: bit v - 1 stands for node v. Nodes deeper than the capacity can never be served
whole and are dropped; nodes on no requestable path are never cached by anyone and appear in no state.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from kvtheory.errors import InputError, LimitError
from kvtheory.model import IntArray, LongArray, PrefixTree

LARGEST_TREE = 62
MOST_CLOSED_SETS = 1 << 18


@dataclass(frozen=True, eq=False)
class Instance:
    """A tree, a capacity and the requestable nodes; make one with :meth:`of`.

    Attributes:
        tree: the prefixes.
        capacity: nodes the cache holds.
        requestable: the nodes that may be requested, ascending. Request r of every table is the r-th of them.
        dropped: nodes deeper than the capacity, ascending.
    """

    tree: PrefixTree
    capacity: int
    requestable: tuple[int, ...]
    dropped: tuple[int, ...]

    @classmethod
    def of(cls, tree: PrefixTree, capacity: int, requestable: Sequence[int] | None = None) -> Instance:
        """The game on a tree; every node that fits may be requested unless `requestable` says otherwise.

        Raises:
            InputError: if the tree is empty or has more than 62 nodes, the capacity is not positive, or
                `requestable` is empty or names the root, an unknown node, or one deeper than the capacity.
        """
        if not 1 <= tree.n <= LARGEST_TREE:
            raise InputError(
                f"{tree.n} nodes: exact ratios are for trees of 1 to {LARGEST_TREE}", field="tree"
            )
        if capacity < 1:
            raise InputError(f"capacity {capacity}: a cache holds at least one node", field="capacity")
        fits = [v for v in range(1, tree.n + 1) if tree.depth[v] <= capacity]
        chosen = sorted(set(fits if requestable is None else requestable))
        if not chosen:
            raise InputError("no node may be requested", field="requestable")
        for v in chosen:
            if not 1 <= v <= tree.n:
                raise InputError(f"{v} is not a node 1..{tree.n}", field="requestable")
            if tree.depth[v] > capacity:
                raise InputError(
                    f"node {v} has a path of {tree.depth[v]} nodes, longer than the capacity {capacity}",
                    field="requestable",
                )
        dropped = sorted(set(range(1, tree.n + 1)) - set(fits))
        return cls(tree, capacity, tuple(chosen), tuple(dropped))

    @cached_property
    def parents(self) -> tuple[int, ...]:
        """Parent of node 0, 1, ..., n as plain integers; -1 for the root."""
        return tuple(self.tree.parent.tolist())

    @cached_property
    def paths(self) -> tuple[int, ...]:
        """Path of node 0, 1, ..., n as bitmasks."""
        masks = [0]
        for v in range(1, self.tree.n + 1):
            masks.append(masks[self.parents[v]] | 1 << v - 1)
        return tuple(masks)

    @cached_property
    def used(self) -> tuple[int, ...]:
        """Nodes on some requestable path, ascending."""
        union = 0
        for v in self.requestable:
            union |= self.paths[v]
        return tuple(v for v in range(1, self.tree.n + 1) if union >> v - 1 & 1)

    @cached_property
    def closed(self) -> LongArray:
        """Every closed set of at most `capacity` used nodes, int64, shape (M,): by size, then by mask.

        Raises:
            LimitError: if there are more than 2**18.
        """
        found = [0]
        for v in self.used:
            above = self.paths[self.parents[v]]
            found += [
                mask | 1 << v - 1
                for mask in found
                if mask & above == above and mask.bit_count() < self.capacity
            ]
            if len(found) > MOST_CLOSED_SETS:
                raise LimitError(f"more than {MOST_CLOSED_SETS:,} cache states: the instance is too large")
        return np.array(sorted(found, key=lambda mask: (mask.bit_count(), mask)), dtype=np.int64)

    @cached_property
    def index(self) -> dict[int, int]:
        """Position of each closed set in `closed`."""
        return {mask: i for i, mask in enumerate(self.closed.tolist())}

    @cached_property
    def steps(self) -> tuple[IntArray, IntArray]:
        """Pairs (i, j) with closed[j] = closed[i] + one node, as two int32 arrays, ascending in i."""
        pairs = []
        for i, mask in enumerate(self.closed.tolist()):
            larger = (self.index.get(mask | 1 << v - 1, i) for v in self.used)
            pairs += [(i, j) for j in larger if j != i]
        array = np.array(pairs, dtype=np.int32).reshape(-1, 2)
        return np.ascontiguousarray(array[:, 0]), np.ascontiguousarray(array[:, 1])

    def nodes(self, mask: int) -> Iterator[int]:
        """The nodes of a cache state, ascending."""
        return (v for v in self.used if mask >> v - 1 & 1)
