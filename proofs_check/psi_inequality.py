"""The potential that pays for RLT's stale misses."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from kvtheory.testing.instances import all_trees
from kvtheory.width import harmonic
from proofs_check.deletions import expected_hits, psi
from proofs_check.instances import leaves_of, path_masks
from proofs_check.symbolic import settle
from proofs_check.theorem import Kind, Note, Row, Size, Theorem


def matched_terms(z3: Any) -> tuple[list[Any], Any]:
    """H(n + 1) = H(n) + 1/(n + 1) and H grows: both kinds of terms differ by at least l / (a' + l).

    `now`, `later`: H at a' and at a later count a'' <= a'; `more`: H at a' + 1.
    """
    a, later_a = z3.Ints("a' a''")
    now, more, later = z3.Reals("H(a') H(a'+1) H(a'')")
    hypotheses = [a >= 0, later_a >= 0, later_a <= a, later <= now, (more - now) * (a + 1) == 1]
    share = 1 / z3.ToReal(a + 1)
    return hypotheses, z3.And(more - now == share, more - later >= share)


def check(size: Size) -> Iterator[Row | Note]:
    """Every forest, every path, every number of deletions, in exact expectation."""
    worst, most, least, cases = Fraction(-1), Fraction(-1), Fraction(-1), 0
    for n in range(1, size["nodes"] + 1):
        for parents in all_trees(n):
            everything = (1 << n) - 1
            m = len(leaves_of(everything, parents))
            for path in path_masks(parents)[1:]:
                rest = everything & ~path
                for h in range(rest.bit_count() + 1):
                    whole, part = psi(parents, everything, h), psi(parents, rest, h)
                    worst = max(worst, expected_hits(parents, everything, h, path) - (whole - part))
                    most = max(most, whole - h * harmonic(m))
                    least = max(least, h - part)
                    cases += 1
    what = f"all forests of at most {size['nodes']} nodes"
    yield Row(f"{what}: largest E[deletions on P] - (Psi(U) - Psi(U without P))", worst, "<=", 0, cases)
    yield Row(f"{what}: largest Psi(U, h) - h H_leaves(U)", most, "<=", 0, cases)
    yield Row(f"{what}: largest h - Psi(U without P, h)", least, "<=", 0, cases)
    yield from settle(
        "all integers 0 <= a'' <= a', H increasing: matched terms differ by 1/(a'+1)", matched_terms
    )


THEOREM = Theorem(
    statement="With Psi(U, h) the expected sum of H_(leaves alive) before each of h uniform leaf deletions "
    "from U: the deletions that fall on a path P are at most Psi(U, h) - Psi(U without P, h) in expectation "
    "(C2).",
    kind=Kind.PROVED,
    covers=(7,),
    where="docs/theory/rlt.rst",
    sizes={"nodes": (5, 8, 9)},
    scope="every forest of at most {nodes} nodes, every path, every h; the step of the proof for all "
    "integers by z3",
    check=check,
)
