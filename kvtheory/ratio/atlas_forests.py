"""Every forest below the free root, once up to isomorphism, by canonical level sequences. [Beyer1980]_

The level sequence of a forest lists the depths of its nodes in preorder; the canonical one is the
lexicographically largest over all orders of children. Parents are numbered in that preorder, from 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kvtheory.errors import InputError

Parents = tuple[int, ...]
MOST_NODES = 10


def forests(nodes: int) -> Iterator[Parents]:
    """Every forest of exactly `nodes` nodes, from the path to the star.

    The successor of a level sequence: the last node that is deeper than 1 moves up to its grandparent, and
    what follows repeats the part from its old parent on, again and again (Beyer and Hedetniemi 1980).

    Raises:
        InputError: unless there are 1 to 10 nodes.
    """
    if not 1 <= nodes <= MOST_NODES:
        raise InputError(f"{nodes} nodes: forests of 1 to {MOST_NODES} are listed", field="nodes")
    level = list(range(1, nodes + 1))
    while True:
        yield _parents(level)
        deep = [i for i, depth in enumerate(level) if depth > 1]
        if not deep:
            return
        last = deep[-1]
        period = last - max(i for i in range(last) if level[i] == level[last] - 1)
        for i in range(last, nodes):
            level[i] = level[i - period]


def canonical(parents: Sequence[int], capacity: int | None = None) -> Parents:
    """The forest of :func:`forests` that is isomorphic to this one, nodes deeper than `capacity` left out.

    Args:
        parents: of nodes 1, 2, ...; 0 is the root, and parents come first.
        capacity: depth to cut at; None keeps every node.
    """
    depth = [0]
    children: list[list[int]] = [[] for _ in range(len(parents) + 1)]
    for v, parent in enumerate(parents, start=1):
        depth.append(depth[parent] + 1)
        if capacity is None or depth[v] <= capacity:
            children[parent].append(v)
    levels: list[list[int]] = [[] for _ in children]
    for v in range(len(parents), -1, -1):
        below = sorted((levels[u] for u in children[v]), reverse=True)
        levels[v] = [depth[v], *(level for part in below for level in part)]
    return _parents(levels[0][1:])


def _parents(level: Sequence[int]) -> Parents:
    latest, parents = [0] * (len(level) + 1), []
    for v, depth in enumerate(level, start=1):
        parents.append(latest[depth - 1])
        latest[depth] = v
    return tuple(parents)
