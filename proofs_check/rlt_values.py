"""Exact ratios of RLT: stars, and caches that lack one node of the tree."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from kvtheory.model import PrefixTree
from kvtheory.policies.rlt import RLT
from kvtheory.ratio.game import exact_ratio
from kvtheory.ratio.instance import Instance as Game
from kvtheory.testing.instances import star
from kvtheory.width import harmonic, width
from proofs_check.instances import games
from proofs_check.rlt_chain import worst
from proofs_check.theorem import Kind, Row, Size, Theorem

STARS = (
    (3, 2, Fraction(3, 2)),
    (4, 2, Fraction(2)),
    (5, 2, Fraction(2)),
    (4, 3, Fraction(11, 6)),
    (5, 3, Fraction(8, 3)),
    (5, 4, Fraction(25, 12)),
    (6, 3, Fraction(8, 3)),
    (6, 4, Fraction(19, 6)),
)


def check(size: Size) -> Iterator[Row]:
    """Two computations: the policy's hooks in the exact engine, and RLT's law by leaf deletions."""
    for leaves, k, claimed in STARS:
        if leaves > size["leaves"]:
            continue
        game = Game.of(PrefixTree.from_parents(star(leaves)), k)
        yield Row(f"star:{leaves}, k={k}: RLT", exact_ratio(game, RLT).ratio or Fraction(0), "==", claimed, 1)
        yield Row(f"star:{leaves}, k={k}: RLT by leaf deletions", worst(game).misses, "==", claimed, 1)
    wrong, cases = 0, 0
    for game in games(size["nodes"], least=2):
        if game.capacity == game.tree.n - 1:
            claimed = harmonic(width(game.tree, game.capacity).W - 1)
            wrong += exact_ratio(game, RLT).ratio != max(Fraction(1), claimed)
            cases += 1
    yield Row(f"trees of at most {size['nodes']} nodes, k = n-1: RLT is not H_(W-1)", wrong, "==", 0, cases)
    apart, cases = 0, 0
    for game in games(size["both"], least=2):
        found = worst(game, 4000)
        if found.complete:
            apart += exact_ratio(game, RLT).ratio != max(Fraction(1), found.misses)
            cases += 1
    yield Row(f"trees of at most {size['both']} nodes: the two computations differ", apart, "==", 0, cases)


THEOREM = Theorem(
    statement="RLT on stars (leaves, k): (3,2) 3/2, (4,2) 2, (5,2) 2, (4,3) 11/6, (5,3) 8/3, (6,3) 8/3, "
    "(5,4) 25/12, (6,4) 19/6. Where the cache lacks one node of the tree RLT has the best possible ratio, "
    "H_(W-1).",
    kind=Kind.VERIFIED,
    covers=(9,),
    where="docs/theory/rlt.rst",
    sizes={"leaves": (5, 6, 6), "nodes": (5, 6, 6), "both": (4, 5, 5)},
    scope="all sequences on stars of at most {leaves} leaves, on trees of at most {nodes} nodes with k = "
    "n-1, and on trees of at most {both} nodes in two computations",
    check=check,
)
