"""Small instances: every tree, every request sequence, seeded random ones."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from kvtheory.model import PrefixTree, Trace


def all_parents(n: int) -> Iterator[tuple[int, ...]]:
    """Every parent list of n nodes (parents first): n! of them, each labelled shape at least once."""
    return itertools.product(*(range(v) for v in range(1, n + 1)))


def all_shapes(n: int) -> Iterator[tuple[int, ...]]:
    """One parent list for every rooted tree shape with n nodes besides the root."""
    seen = set()
    for parents in all_parents(n):
        form = _canonical(parents)
        if form not in seen:
            seen.add(form)
            yield parents


def _canonical(parents: tuple[int, ...]) -> str:
    children: dict[int, list[str]] = {}
    form = ""
    for v in range(len(parents), -1, -1):
        form = "(" + "".join(sorted(children.get(v, []))) + ")"
        if v:
            children.setdefault(parents[v - 1], []).append(form)
    return form


def requestable(tree: PrefixTree, capacity: int) -> list[int]:
    """Nodes whose path fits the capacity."""
    return [v for v in range(1, tree.n + 1) if tree.depth[v] <= capacity]


def all_traces(parents: tuple[int, ...], capacity: int, length: int) -> Iterator[Trace]:
    """Every sequence of `length` requests whose paths fit."""
    tree = PrefixTree.from_parents(parents)
    for requests in itertools.product(requestable(tree, capacity), repeat=length):
        yield Trace(tree, np.array(requests, dtype=np.int32))


def random_traces(
    seed: int, count: int, *, nodes: int, length: int
) -> Iterator[tuple[tuple[int, ...], int, Trace]]:
    """Seeded random (parents, capacity, trace) with at most `nodes` nodes and `length` requests."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        n = int(rng.integers(1, nodes + 1))
        parents = tuple(int(rng.integers(0, v)) for v in range(1, n + 1))
        capacity = int(rng.integers(1, n + 1))
        tree = PrefixTree.from_parents(parents)
        requests = rng.choice(requestable(tree, capacity), int(rng.integers(1, length + 1)))
        yield parents, capacity, Trace(tree, requests.astype(np.int32))
