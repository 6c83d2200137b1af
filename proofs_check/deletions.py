"""Uniform leaf deletions from a forest: what RLT's holes are, in exact probabilities.

The process: from a set U of nodes, closed under ancestors within itself, delete h times a uniformly
random leaf of what is left. Sets are bitmasks; node v is bit v - 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import cache

from kvtheory.testing.instances import Parents
from kvtheory.width import harmonic
from proofs_check.instances import leaves_of

Law = Mapping[int, Fraction]


@cache
def alive(parents: Parents, nodes: int, deletions: int) -> Law:
    """The distribution of what is left."""
    if not deletions:
        return {nodes: Fraction(1)}
    ends = leaves_of(nodes, parents)
    found: dict[int, Fraction] = {}
    for v in ends:
        for mask, chance in alive(parents, nodes & ~(1 << v - 1), deletions - 1).items():
            found[mask] = found.get(mask, Fraction(0)) + chance / len(ends)
    return found


@cache
def psi(parents: Parents, nodes: int, deletions: int) -> Fraction:
    """Expected sum, over the deletions, of the harmonic number of the leaves alive before each."""
    if not deletions:
        return Fraction(0)
    ends = leaves_of(nodes, parents)
    rest = sum(psi(parents, nodes & ~(1 << v - 1), deletions - 1) for v in ends)
    return harmonic(len(ends)) + Fraction(rest) / len(ends)


@cache
def expected_hits(parents: Parents, nodes: int, deletions: int, target: int) -> Fraction:
    """Expected number of deletions that fall into a target set."""
    law = alive(parents, nodes, deletions)
    return sum((chance * (target & nodes & ~mask).bit_count() for mask, chance in law.items()), Fraction(0))


def refetched(parents: Parents, nodes: int, deletions: int, path: int) -> dict[int, Fraction]:
    """The law of what is left of `nodes` without `path`, after a request for that path.

    Deleted nodes of the path are loaded again, and as many further leaves off it are deleted, uniformly.
    """
    found: dict[int, Fraction] = {}
    for mask, chance in alive(parents, nodes, deletions).items():
        stale = (path & nodes & ~mask).bit_count()
        for left, share in alive(parents, mask & ~path, stale).items():
            found[left] = found.get(left, Fraction(0)) + chance * share
    return found
