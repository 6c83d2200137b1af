"""A widest closed set of k+1 nodes, exactly: which leaves it has, not only how many.

`F_v(l)` is the least number of nodes, from v downwards, of a closed set with l leaves in the subtree of v: v
alone for l = 1, else v and the cheapest way to share l leaves among the children. Siblings are merged in
pairs, pairs of pairs and so on, and every merge is remembered, so that the choice can be read back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from adversaries.chains import require_positive
from kvtheory.errors import InputError, LimitError
from kvtheory.model import PrefixTree

MOST_LEAVES = 20_000
Table = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Part:
    """Siblings with their subtrees: either one node, or two parts.

    Attributes:
        least: int64: least nodes for 0, 1, 2, ... leaves, as far as they are at most k+1.
        node: the node; 0 where there are two parts.
        inside: the children of the node, or the two parts; none below a leaf.
    """

    least: Table
    node: int
    inside: tuple[Part, ...]


def widest_leaves(tree: PrefixTree, k: int) -> list[int]:
    """Leaves of a closed set of exactly k+1 nodes, none deeper than k, with the most leaves; ascending.

    Raises:
        InputError: if the capacity is not positive or holds every node of depth at most k.
        LimitError: if tree and capacity both allow more than 20,000 leaves.
    """
    require_positive(k=k)
    parent, fits = tree.parent.tolist(), (tree.depth <= k).tolist()
    nodes = sum(fits) - 1
    if nodes <= k:
        raise InputError(f"a cache of {k} holds all {nodes} nodes that fit: nothing is forced", field="k")
    ends = nodes - len({parent[v] for v in range(1, tree.n + 1) if fits[v]} - {0})
    if min(ends, k + 1) > MOST_LEAVES:
        raise LimitError(f"a widest set of {min(ends, k + 1)} leaves or so: more than {MOST_LEAVES}")
    waiting: list[list[Part]] = [[] for _ in range(tree.n + 1)]
    for v in range(tree.n, 0, -1):
        if fits[v]:
            below = _merged(waiting[v], k + 1)
            waiting[v] = []
            least = np.array([0, 1, *(below[0].least[2:] + 1 if below else ())], dtype=np.int64)
            waiting[parent[v]].append(Part(least[least <= k + 1], v, below))
    whole = _merged(waiting[0], k + 1)[0]
    leaves = _read_back(whole, whole.least.size - 1)
    return _grown(parent, fits, closed_set(tree, leaves), k + 1)


def closed_set(tree: PrefixTree, leaves: Sequence[int]) -> list[int]:
    """The nodes on the paths of `leaves`, ascending."""
    nodes: set[int] = set()
    for leaf in leaves:
        v = leaf
        while v and v not in nodes:
            nodes.add(v)
            v = int(tree.parent[v])
    return sorted(nodes)


def _merged(parts: list[Part], limit: int) -> tuple[Part, ...]:
    """All parts as one, or none."""
    while len(parts) > 1:
        pairs = [_both(a, b, limit) for a, b in zip(parts[::2], parts[1::2], strict=False)]
        parts = pairs + parts[len(parts) - len(parts) % 2 :]
    return tuple(parts)


def _both(a: Part, b: Part, limit: int) -> Part:
    few, many = sorted((a.least, b.least), key=len)
    least = np.full(few.size + many.size - 1, limit + 1, dtype=np.int64)
    for i, nodes in enumerate(few.tolist()):
        here = least[i : i + many.size]
        np.minimum(here, nodes + many, out=here)
    return Part(least[least <= limit], 0, (a, b))


def _read_back(part: Part, leaves: int) -> list[int]:
    """The leaves of a least set with so many leaves."""
    found: list[int] = []
    waiting = [(part, leaves)]
    while waiting:
        part, leaves = waiting.pop()
        if leaves and part.node:
            if leaves == 1:
                found.append(part.node)
            else:
                waiting.append((part.inside[0], leaves))
        elif leaves:
            a, b = part.inside
            left = np.arange(max(0, leaves - b.least.size + 1), min(leaves, a.least.size - 1) + 1)
            share = int(left[np.argmin(a.least[left] + b.least[leaves - left])])
            waiting += [(a, share), (b, leaves - share)]
    return found


def _grown(parent: list[int], fits: list[bool], nodes: list[int], size: int) -> list[int]:
    """The leaves once missing nodes are added, up to `size`; no leaf is lost, and none can be won."""
    inside = [False] * len(parent)
    inside[0] = True
    for v in nodes:
        inside[v] = True
    missing = size - len(nodes)
    for v in range(1, len(parent)):
        if missing and fits[v] and not inside[v] and inside[parent[v]]:
            inside[v] = True
            missing -= 1
    inner = {parent[v] for v in range(1, len(parent)) if inside[v]}
    return [v for v in range(1, len(parent)) if inside[v] and v not in inner]
