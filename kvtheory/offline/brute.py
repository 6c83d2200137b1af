"""The optimum of tiny instances by dynamic programming over every ancestor-closed cache state.

A state is a bitmask. Serving a request may move from S to any closed set inside S and the path that keeps
within the capacity and, unless bypass is allowed, holds the path. Nothing is assumed about the optimum.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from kvtheory.errors import InputError
from kvtheory.model import PrefixTree

LARGEST_TREE = 16


def brute(
    tree: PrefixTree,
    requests: Sequence[int],
    capacity: int,
    *,
    bypass: bool = False,
    cost: Sequence[int] | None = None,
) -> int:
    """Least total cost of serving the requests from the empty cache.

    Args:
        tree: at most 16 nodes.
        requests: nodes whose path is at most `capacity` long.
        capacity: nodes the cache holds.
        bypass: a served path need not stay in the cache.
        cost: miss cost of each node, `cost[0]` unused; default 1 each.

    Raises:
        InputError: if the tree is too large, or a path longer than the capacity.
    """
    if tree.n > LARGEST_TREE:
        raise InputError(f"{tree.n} nodes: brute force stops at {LARGEST_TREE}; use belady", field="method")
    parent = [int(p) for p in tree.parent]
    price = [0, *([1] * tree.n)] if cost is None else list(cost)
    path_of = [sum(1 << u for u in tree.path(v)) for v in range(tree.n + 1)]

    @cache
    def closed_subsets(mask: int) -> tuple[int, ...]:
        """Every closed subset of a closed set."""
        if not mask:
            return (0,)
        last = mask.bit_length() - 1  # parents come first: the highest node is a leaf
        without = closed_subsets(mask & ~(1 << last))
        above = 1 << parent[last] if parent[last] else 0
        return without + tuple(s | 1 << last for s in without if s & above == above)

    @cache
    def miss_cost(missing: int) -> int:
        return sum(price[u] for u in range(1, tree.n + 1) if missing >> u & 1)

    best = {0: 0}
    for v in requests:
        path = path_of[v]
        if path.bit_count() > capacity:
            raise InputError(f"the path of node {v} is longer than the capacity {capacity}")
        held = 0 if bypass else path
        after: dict[int, int] = {}
        for state, paid in best.items():
            total = paid + miss_cost(path & ~state)
            for new in closed_subsets(state | path):
                if new & held == held and new.bit_count() <= capacity and total < after.get(new, total + 1):
                    after[new] = total
        best = after
    return min(best.values())
