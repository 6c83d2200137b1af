"""A tree as the batch engine reads it: paths and neighbourhoods as 64-bit masks, bit v for node v."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kvtheory.errors import InputError
from kvtheory.model import LongArray, PrefixTree

LARGEST_TREE = 62


@dataclass(frozen=True, eq=False)
class Layout:
    """Tables of one tree; make them with :meth:`of`. Bit 0, the root's, is set nowhere.

    Attributes:
        capacity: nodes the cache holds.
        depth: int64, shape (n+1,).
        parent: int64, shape (n+1,): the root's is 0.
        path: int64, shape (n+1,): the path to each node.
        nodes: int64, shape (n+1, H+1): the path's node at depth 0 (the root), 1, ...; 0 beyond its tip.
        bit: int64, shape (n+1,): each node alone; -1, which no set equals, for the root.
        reach: int64, shape (n+1,): each node and its children; so v is a leaf of a set where
            `set & reach[v] == bit[v]`.
    """

    capacity: int
    depth: LongArray
    parent: LongArray
    path: LongArray
    nodes: LongArray
    bit: LongArray
    reach: LongArray

    @classmethod
    def of(cls, tree: PrefixTree, capacity: int) -> Layout:
        """The tables of a tree and a capacity.

        Raises:
            InputError: if the tree has more than 62 nodes, or the capacity is not positive.
        """
        if tree.n > LARGEST_TREE:
            raise InputError(
                f"{tree.n} nodes: a state of the batch engine has at most {LARGEST_TREE}", field="tree"
            )
        if capacity < 1:
            raise InputError(f"capacity {capacity}: a cache holds at least one node", field="capacity")
        parent = np.maximum(tree.parent, 0).astype(np.int64)
        bit = np.int64(1) << np.arange(tree.n + 1, dtype=np.int64)
        bit[0] = -1
        path = np.zeros(tree.n + 1, dtype=np.int64)
        nodes = np.zeros((tree.n + 1, tree.height + 1), dtype=np.int64)
        reach = bit.copy()
        for v in range(1, tree.n + 1):
            path[v] = path[parent[v]] | bit[v]
            nodes[v] = nodes[parent[v]]
            nodes[v, tree.depth[v]] = v
            if parent[v]:
                reach[parent[v]] |= bit[v]
        return cls(capacity, tree.depth.astype(np.int64), parent, path, nodes, bit, reach)

    def require_fits(self, requests: LongArray) -> None:
        """Raise InputError for a request that is no node, or whose path is longer than the capacity."""
        if requests.size and not (0 <= requests.min() and requests.max() < self.depth.size):
            raise InputError(f"requests must be nodes 0..{self.depth.size - 1}", field="requests")
        if requests.size and int(self.depth[requests].max()) > self.capacity:
            raise InputError(
                f"a path is longer than the capacity {self.capacity}: cut the requests first",
                field="requests",
            )
