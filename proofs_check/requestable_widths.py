"""Where only some nodes are requested, no width decides the best ratio."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from kvtheory.model import PrefixTree
from kvtheory.ratio.instance import Instance as Game
from kvtheory.ratio.minimax import best_deterministic, best_randomized
from proofs_check.requestable import restricted_games, restricted_widths
from proofs_check.theorem import Kind, Row, Size, Theorem

PARENTS, CAPACITY, CHOSEN = (0, 0, 0, 1), 2, (2, 3, 4)


def check(size: Size) -> Iterator[Row]:
    """The smallest tree whose best ratio is no integer; how many there are among the small ones."""
    game = Game.of(PrefixTree.from_parents(PARENTS), CAPACITY, CHOSEN)
    exact, minimal = restricted_widths(game)
    written = "parents 0,0,0,1, k=2, R = {2,3,4}"
    yield Row(f"{written}: exact reading of the width", exact, "==", 2, 1)
    yield Row(f"{written}: minimal reading of the width", minimal, "==", 2, 1)
    yield Row(f"{written}: best deterministic", best_deterministic(game).ratio or 0, "==", Fraction(5, 4), 1)
    yield Row(f"{written}: best randomised", best_randomized(game).ratio or 0, "==", Fraction(8, 7), 1)
    broken, cases, first = 0, 0, size["nodes"] + 1
    for other in restricted_games(size["nodes"]):
        ratio = best_deterministic(other).ratio or Fraction(0)
        if ratio.denominator > 1:
            broken, first = broken + 1, min(first, other.tree.n)
        cases += 1
    what = f"all trees of at most {size['nodes']} nodes, all R: best deterministic ratio no integer"
    yield Row(what, broken, ">=", 1, cases)
    yield Row("fewest nodes at which that happens", first, "==", 4, cases)


THEOREM = Theorem(
    statement="Refuted: 'where only the nodes of R are requested, the best ratios are W_R - 1 and H_(W_R - "
    "1) for some width W_R'. The smallest case: parents 0,0,0,1, k = 2, R = {2, 3, 4} has 5/4 and 8/7, "
    "which no width gives.",
    kind=Kind.REFUTED,
    covers=(4, 6),
    where="docs/theory/requestable.rst",
    sizes={"nodes": (4, 5, 6)},
    scope="all sequences; every tree of at most {nodes} nodes and every R that reaches all of it",
    check=check,
)
