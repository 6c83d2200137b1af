"""Caching with sizes is prefix caching with node costs, which is therefore strongly NP-hard.

A page of size s and cost c becomes a chain of s nodes of which the last costs c and the others nothing;
only the last is requested. A chain that is not kept whole saves nothing, and one that is kept whole takes
room s. Caching with sizes and costs (general caching) is strongly NP-hard [Chrobak2012]_
[Folwarczny2017]_.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from proofs_check.exhaustive import Optima
from proofs_check.theorem import Kind, Row, Size, Theorem


def chains(size: tuple[int, ...], cost: tuple[int, ...]) -> tuple[tuple[int, ...], list[int], list[int]]:
    """The forest of chains, its node costs, and the last node of each chain."""
    parents: list[int] = []
    prices: list[int] = []
    tips: list[int] = []
    for s, c in zip(size, cost, strict=True):
        parents += [0, *range(len(parents) + 1, len(parents) + s)]
        prices += [0] * (s - 1) + [c]
        tips.append(len(parents))
    return tuple(parents), prices, tips


def check(limits: Size) -> Iterator[Row]:
    """Every star with small sizes and costs, every sequence: both optima by dynamic programming."""
    pages, length = limits["pages"], limits["length"]
    wrong, cases = 0, 0
    for size in itertools.combinations_with_replacement(range(1, 3), pages):
        for cost in itertools.product((1, 3), repeat=pages):
            for room in range(max(size), sum(size)):
                flat = Optima((0,) * pages, room, cost=cost, size=size)
                parents, prices, tips = chains(size, cost)
                forest = Optima(parents, room, cost=prices)
                for requests, best in flat.sequences(length):
                    layer = {0: 0}
                    for page in requests:
                        layer = forest.step(layer, tips[page - 1])
                    wrong += min(layer.values()) != best
                    cases += 1
    what = f"{pages} pages of sizes 1 and 2 and costs 1 and 3, sequences of {length}: optima that differ"
    yield Row(what, wrong, "==", 0, cases)


THEOREM = Theorem(
    statement="Prefix caching with arbitrary node costs contains general caching: a page of size s and cost "
    "c is a chain of s nodes that cost 0, ..., 0, c. So it is strongly NP-hard.",
    kind=Kind.PROVED,
    covers=(3,),
    where="docs/theory/theorems.rst",
    sizes={"pages": (3, 3, 4), "length": (4, 6, 6)},
    scope="every sequence of {length} requests to {pages} pages of sizes 1 and 2 and costs 1 and 3",
    check=check,
)
