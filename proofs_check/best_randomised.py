"""The best randomised ratio is H_(W-1) wherever it was computed."""

from __future__ import annotations

from collections.abc import Iterator

from kvtheory.ratio.minimax import best_randomized
from kvtheory.width import harmonic, width
from proofs_check.instances import games
from proofs_check.theorem import Kind, Row, Size, Theorem


def check(size: Size) -> Iterator[Row]:
    """A linear program on every small tree, its algorithm and its adversary re-checked in fractions."""
    wrong, cases = 0, 0
    for game in games(size["nodes"], least=2):
        found = best_randomized(game)
        found.policy().check()
        if found.adversary:
            found.adversary.check(found.works)
        wrong += found.ratio != harmonic(max(1, width(game.tree, game.capacity).W - 1))
        cases += 1
    what = f"shapes of at most {size['nodes']} nodes, k >= 2: best randomised ratio is not H_(W-1)"
    yield Row(what, wrong, "==", 0, cases)


THEOREM = Theorem(
    statement="On every tree and capacity some randomised online algorithm is H_(W-1)-competitive, which is "
    "the best possible: a conjecture, in exact rationals where it was computed.",
    kind=Kind.VERIFIED,
    covers=(6,),
    where="docs/theory/width.rst",
    sizes={"nodes": (5, 6, 7)},
    scope="all sequences on every tree of at most {nodes} nodes, k >= 2",
    check=check,
)
