"""Drawing a leaf beats drawing a node and evicting a leaf below it: logarithmic against linear."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

from kvtheory.engine.reference import ReferenceEngine
from kvtheory.model import PrefixTree
from kvtheory.policies.rlt import RLT
from kvtheory.testing.chances import expected_misses
from kvtheory.width import harmonic
from proofs_check.theorem import Kind, Row, Size, Theorem


def one_hole(lengths: Sequence[int], weight: Callable[[int], int]) -> Fraction:
    """Expected misses of one clean node, then the chains from the longest, but for the shortest.

    Args:
        lengths: nodes of each chain, ascending; all cached and unmarked at first.
        weight: of a chain with that many cached nodes, in the draw of the chain whose tip is evicted.
    """

    def drawn(chains: int) -> list[Fraction]:
        weights = [weight(length) for length in lengths[:chains]]
        return [Fraction(w, sum(weights)) for w in weights]

    hole = drawn(len(lengths))
    total = Fraction(1)
    for last in range(len(lengths) - 1, 0, -1):
        missed = hole[last]
        total += missed
        hole = [here + missed * chance for here, chance in zip(hole[:last], drawn(last), strict=True)]
    return total


def by_the_engine(w: int) -> Fraction:
    """RLT on the same requests, every draw of the reference engine taken in turn."""
    parents: list[int] = []
    tips: list[int] = []
    for i in range(w):
        parents += [0, *range(len(parents) + 1, len(parents) + 2**i)]
        tips.append(len(parents))
    clean = len(parents) + 1
    engine = ReferenceEngine(PrefixTree.from_parents([*parents, 0]), len(parents), RLT)
    return expected_misses(engine, (*tips, clean, *tips[:0:-1])) - len(parents)


def check(size: Size) -> Iterator[Row]:
    """Chains of 1, 2, 4, ..., 2^(w-1) nodes in a cache that holds them all."""
    most = size["chains"]
    forests = [[2**i for i in range(w)] for w in range(2, most + 1)]
    leaf = [one_hole(lengths, lambda _: 1) for lengths in forests]
    node = [one_hole(lengths, lambda n: n) for lengths in forests]
    what = f"w from 2 to {most}"
    wrong = sum(found != harmonic(w) for w, found in enumerate(leaf, start=2))
    yield Row(f"{what}: a uniform leaf does not cost H_w", wrong, "==", 0, len(leaf))
    short = max(1 + Fraction(w - 1, 2) - found for w, found in enumerate(node, start=2))
    yield Row(f"{what}: largest 1 + (w-1)/2 - cost of a uniform node", short, "<=", 0, len(node))
    engine = [by_the_engine(w) for w in range(2, size["engine"] + 1)]
    apart = sum(found != value for found, value in zip(engine, leaf, strict=False))
    yield Row(
        f"w from 2 to {size['engine']}: RLT in the reference engine costs otherwise",
        apart,
        "==",
        0,
        len(engine),
    )


THEOREM = Theorem(
    statement="On chains of 1, 2, 4, ..., 2^(w-1) unmarked nodes one clean node costs an algorithm that "
    "evicts a uniform leaf H_w, and one that draws a uniform node and evicts the leaf below it more than 1 "
    "+ (w-1)/2.",
    kind=Kind.PROVED,
    covers=(10,),
    where="docs/theory/rlt.rst",
    sizes={"chains": (8, 16, 40), "engine": (3, 4, 4)},
    scope="w up to {chains}; against the reference engine up to {engine}",
    check=check,
)
