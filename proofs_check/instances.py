"""What the checks enumerate: trees, capacities, sequences and closed sets; and seeded random instances."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from kvtheory.model import PrefixTree, Trace
from kvtheory.ratio.instance import Instance as Game
from kvtheory.testing.instances import Instance, Parents, all_trees, depths, random_instance


def random_instances(first_seed: int, count: int, *, nodes: int, length: int) -> Iterator[Instance]:
    """Seeded random instances with at most `nodes` nodes and at least one access."""
    for seed in range(first_seed, first_seed + count):
        instance = random_instance(seed, max_nodes=nodes, max_requests=length)
        if any(instance.requests):
            yield instance


def misses(trace: Trace, hits: npt.ArrayLike) -> int:
    """Missed nodes of a trace, from the node down to which each request hit."""
    return trace.accesses - int(trace.tree.depth[np.asarray(hits)].sum(dtype=np.int64))


def games(nodes: int, *, least: int = 1) -> Iterator[Game]:
    """Every tree of 2 to `nodes` nodes and every capacity from `least` below that which drops no node."""
    for n in range(2, nodes + 1):
        for parents in all_trees(n):
            for capacity in range(max(least, *depths(parents)), n):
                yield Game.of(PrefixTree.from_parents(parents), capacity)


def path_masks(parents: Parents) -> list[int]:
    """The path of node 0, 1, ..., n as bitmasks; bit v - 1 is node v."""
    masks = [0]
    for v, parent in enumerate(parents, start=1):
        masks.append(masks[parent] | 1 << v - 1)
    return masks


def closed_sets(parents: Parents) -> list[int]:
    """Every ancestor-closed set as a bitmask, the empty one first."""
    paths = path_masks(parents)
    found = [0]
    for v, parent in enumerate(parents, start=1):
        found += [mask | 1 << v - 1 for mask in found if mask & paths[parent] == paths[parent]]
    return found


def leaves_of(mask: int, parents: Parents) -> list[int]:
    """The nodes of a set, given as a bitmask, without a child in it."""
    inner = 0
    for v in members(mask):
        if parents[v - 1]:
            inner |= 1 << parents[v - 1] - 1
    return list(members(mask & ~inner))


def members(mask: int) -> Iterator[int]:
    """The nodes of a bitmask, ascending."""
    while mask:
        low = mask & -mask
        yield low.bit_length()
        mask ^= low
