"""What the checks enumerate: every sequence on small trees, and seeded random instances."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from kvtheory.model import PrefixTree, Trace
from kvtheory.testing.instances import Instance, random_instance, requestable


def all_traces(parents: tuple[int, ...], capacity: int, length: int) -> Iterator[Trace]:
    """Every sequence of `length` requests whose paths fit."""
    tree = PrefixTree.from_parents(parents)
    for requests in itertools.product(requestable(parents, capacity), repeat=length):
        yield Trace(tree, np.array(requests, dtype=np.int32))


def random_instances(first_seed: int, count: int, *, nodes: int, length: int) -> Iterator[Instance]:
    """Seeded random instances with at most `nodes` nodes and at least one access."""
    for seed in range(first_seed, first_seed + count):
        instance = random_instance(seed, max_nodes=nodes, max_requests=length)
        if any(instance.requests):
            yield instance


def misses(trace: Trace, hits: npt.ArrayLike) -> int:
    """Missed nodes of a trace, from the node down to which each request hit."""
    return trace.accesses - int(trace.tree.depth[np.asarray(hits)].sum(dtype=np.int64))
