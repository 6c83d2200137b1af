"""A trace as prompts: every node of its tree becomes one block of tokens that no other node has.

A prompt is its path's blocks and a rest of fewer tokens than a block, so that its last block is never full:
an engine computes the last token of a prompt whatever is cached, and a full last block would never hit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from kvtheory.errors import InputError
from kvtheory.facts import FUTURE, Facts
from kvtheory.model import PrefixTree, Trace

FIRST_TOKEN = 3
"""Smaller ones have a meaning to models."""


@dataclass(frozen=True)
class Prompts:
    """How tokens are made.

    Attributes:
        block: tokens in a block.
        vocabulary: of the model.
        rest: tokens after the last full block, 1 to `block` - 1.
    """

    block: int
    vocabulary: int
    rest: int = 5

    def __post_init__(self) -> None:
        if not 1 <= self.rest < self.block:
            raise InputError(f"a rest of {self.rest} tokens in blocks of {self.block}", field="rest")

    def tokens(self, tree: PrefixTree, v: int, request: int = 0) -> list[int]:
        """The prompt of node `v`; its rest tells requests apart."""
        span = self.vocabulary - FIRST_TOKEN
        found: list[int] = []
        for u in tree.path(v):
            high, low = divmod(u, span)
            found += [FIRST_TOKEN + low, FIRST_TOKEN + high % span] + [FIRST_TOKEN] * (self.block - 2)
        return found + [FIRST_TOKEN + request % span] * self.rest


def with_lengths(trace: Trace, block: int) -> Trace:
    """The trace whose requests say how long the prompts are that :class:`Prompts` makes of them."""
    return replace(trace, columns={**trace.columns, "input_length": trace.depths * block + Prompts.rest})


def abouts(trace: Trace) -> list[dict[str, int | float]]:
    """What each request says of itself: all columns but those that nobody knows when it arrives."""
    facts = Facts.of(trace, [name for name in trace.columns if name not in FUTURE])
    return [facts[i] for i in range(len(trace))]


def shorten(trace: Trace, *, requests: int | None = None, deepest: int | None = None) -> Trace:
    """The first requests that are not empty and at most `deepest` blocks deep, on the tree that they need.

    Raises:
        InputError: if none is left.
    """
    depths = trace.depths
    kept = np.flatnonzero((depths > 0) & (depths <= (deepest or depths.max(initial=0))))[:requests]
    if not kept.size:
        raise InputError(f"no request of 1 to {deepest} blocks", file=trace.source)
    wanted = np.zeros(trace.tree.n + 1, bool)
    for request in trace.requests[kept].tolist():
        v = request
        while v and not wanted[v]:
            wanted[v] = True
            v = int(trace.tree.parent[v])
    wanted[0] = True
    number = np.cumsum(wanted, dtype=np.int32) - 1
    parent = np.where(trace.tree.parent[wanted] < 0, -1, number[trace.tree.parent[wanted]])
    return replace(
        trace,
        tree=PrefixTree(parent.astype(np.int32)),
        requests=number[trace.requests[kept]],
        ids=None,
        columns={name: column[kept] for name, column in trace.columns.items()},
    )
