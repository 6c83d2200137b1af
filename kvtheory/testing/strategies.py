"""Hypothesis strategies for trees, capacities, traces and instances.

Everything is drawn as plain lists of integers and then folded into range, so that a failing example shrinks
to few nodes, few requests, a star and a capacity of 1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from kvtheory.model import PrefixTree, Trace
from kvtheory.testing.instances import (
    Instance,
    Parents,
    binary,
    broom,
    comb,
    fitting,
    line,
    spider,
    star,
)


def parents(max_nodes: int = 8, min_nodes: int = 1) -> st.SearchStrategy[Parents]:
    """Parents of nodes 1..n: random trees first, then stars, paths, combs, brooms, spiders, binary trees."""
    low = max(min_nodes, 1)
    choices = st.lists(st.integers(0, max_nodes * 2), min_size=min_nodes, max_size=max_nodes)
    shapes: list[st.SearchStrategy[Parents]] = [choices.map(_recursive), choices.map(_deep)]
    if max_nodes >= low:
        shapes += [st.integers(low, max_nodes).map(star), st.integers(low, max_nodes).map(line)]
    pairs = [(a, b) for a in range(1, max_nodes) for b in range(1, max_nodes)]
    named: list[list[Parents]] = [
        [comb(n) for n in range(1, max_nodes // 2 + 1)],
        [broom(a, b) for a, b in pairs if a + b <= max_nodes],
        [spider(a, b) for a, b in pairs if a * b <= max_nodes],
        [binary(levels) for levels in range(1, max_nodes.bit_length())],
    ]
    for trees in named:
        if fit := [tree for tree in trees if min_nodes <= len(tree) <= max_nodes]:
            shapes.append(st.sampled_from(fit))
    return st.one_of(shapes)


def _recursive(choices: list[int]) -> Parents:
    return tuple(choice % (v + 1) for v, choice in enumerate(choices))


def _deep(choices: list[int]) -> Parents:
    return tuple(v - min(v, choice % 3) for v, choice in enumerate(choices))


def trees(max_nodes: int = 8, min_nodes: int = 1) -> st.SearchStrategy[PrefixTree]:
    """Prefix trees of several shapes, one token per node."""
    return parents(max_nodes, min_nodes).map(PrefixTree.from_parents)


def capacities(nodes: int) -> st.SearchStrategy[int]:
    """Capacities from 1 to one more than the tree has nodes."""
    return st.integers(1, nodes + 1)


@st.composite
def instances(
    draw: st.DrawFn, *, max_nodes: int = 8, max_requests: int = 30, min_requests: int = 0, fits: bool = True
) -> Instance:
    """A tree, a capacity and requests; with `fits`, every path fits, else some may be too long.

    Args:
        draw: supplied by Hypothesis.
        max_nodes: largest tree, root not counted.
        max_requests: longest trace; a request of 0 is an empty prompt.
        min_requests: shortest trace.
        fits: cut every path to the capacity.
    """
    tree = draw(parents(max_nodes))
    capacity = draw(capacities(len(tree)))
    node = st.integers(1, len(tree))
    # an empty prompt now and then, written so that requests shrink to node 1
    request = st.one_of(node, node, node, node, node, node, st.just(0))
    requests = tuple(draw(st.lists(request, min_size=min_requests, max_size=max_requests)))
    return Instance(tree, capacity, fitting(tree, requests, capacity) if fits else requests)


def traces(*, max_nodes: int = 8, max_requests: int = 30) -> st.SearchStrategy[tuple[Trace, int]]:
    """A trace and a capacity that some of its paths may exceed: what :meth:`Trace.cut` is for."""
    drawn = instances(max_nodes=max_nodes, max_requests=max_requests, fits=False)
    return drawn.map(lambda case: (Trace(case.tree, np.array(case.requests, np.int32)), case.capacity))


def seeds() -> st.SearchStrategy[int]:
    """Seeds of random draws, the extreme ones included."""
    return st.one_of(st.integers(0, 99), st.integers(0, (1 << 64) - 1))


def explore(
    holds: Callable[..., None], *space: st.SearchStrategy[Any], examples: int | None, shrink: bool
) -> None:
    """Call a check on what Hypothesis draws from a space.

    Args:
        holds: raises where the check fails; takes one value of each strategy.
        space: a strategy for each argument.
        examples: how many; default, the profile's.
        shrink: look for the smallest failing values.
    """
    settings(
        max_examples=examples or settings().max_examples,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink] if shrink else [Phase.generate],
        database=None,
    )(given(*space)(holds))()
