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
    hit_cost: Sequence[int] | None = None,
    size: Sequence[int] | None = None,
    objective: str = "total",
) -> int:
    """Least cost of serving the requests from the empty cache; arguments as :func:`brute_schedule`."""
    options = {"cost": cost, "hit_cost": hit_cost, "size": size}
    return brute_schedule(tree, requests, capacity, bypass=bypass, objective=objective, **options)[0]


def brute_schedule(
    tree: PrefixTree,
    requests: Sequence[int],
    capacity: int,
    *,
    bypass: bool = False,
    cost: Sequence[int] | None = None,
    hit_cost: Sequence[int] | None = None,
    size: Sequence[int] | None = None,
    objective: str = "total",
) -> tuple[int, list[list[int]]]:
    """Least cost of serving the requests from the empty cache, and a schedule's victims, request by request.

    Args:
        tree: at most 16 nodes.
        requests: nodes whose path fits.
        capacity: nodes the cache holds, or units of `size`.
        bypass: a served path need not stay in the cache.
        cost: miss cost of each node, `cost[0]` unused; default 1 each.
        hit_cost: cost of a node that is hit; default 0.
        size: units of capacity of each node; default 1.
        objective: `total`, or `latency`: the cost of the dearest request.

    Raises:
        InputError: if the tree is too large, or a path longer than the capacity.
    """
    if tree.n > LARGEST_TREE:
        raise InputError(f"{tree.n} nodes: brute force stops at {LARGEST_TREE}; use belady", field="method")
    parent = [int(p) for p in tree.parent]
    price = [0, *([1] * tree.n)] if cost is None else list(cost)
    held_price = [0] * (tree.n + 1) if hit_cost is None else list(hit_cost)
    units = [0, *([1] * tree.n)] if size is None else list(size)
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
    def weigh(mask: int, kind: int) -> int:
        vector = (price, held_price, units)[kind]
        return sum(vector[u] for u in range(1, tree.n + 1) if mask >> u & 1)

    best = {0: 0}
    came_from: list[dict[int, int]] = []
    for v in requests:
        path = path_of[v]
        if weigh(path, 2) > capacity:
            raise InputError(f"the path of node {v} is longer than the capacity {capacity}")
        held = 0 if bypass else path
        after: dict[int, int] = {}
        came_from.append({})
        for state, paid in best.items():
            paying = weigh(path & ~state, 0) + weigh(path & state, 1)
            total = paid + paying if objective == "total" else max(paid, paying)
            for new in closed_subsets(state | path):
                if new & held == held and weigh(new, 2) <= capacity and total < after.get(new, total + 1):
                    after[new] = total
                    came_from[-1][new] = state
        best = after
    state = min(best, key=lambda mask: best[mask])
    value, victims = best[state], []
    for t in range(len(requests) - 1, -1, -1):
        before = came_from[t][state]
        gone = (before | path_of[requests[t]]) & ~state
        victims.append([u for u in range(tree.n, 0, -1) if gone >> u & 1])  # children before parents
        state = before
    return value, victims[::-1]
