"""Belady is not optimal where nodes have sizes and are evicted whole."""

from __future__ import annotations

from collections.abc import Iterator

from proofs_check.schedules import Case
from proofs_check.theorem import Kind, Row, Size, Theorem

STAR, SIZES, CAPACITY, REQUESTS = (0, 0, 0), (1, 1, 2), 3, (1, 3, 2, 1, 3)
CASE = Case(cost=lambda depth, size: size, sizes=True)


def check(size: Size) -> Iterator[Row]:
    """The case, and that nothing smaller fails."""
    yield from CASE.compared(STAR, CAPACITY, SIZES, REQUESTS, 6, 5)
    yield from CASE.smallest(3, len(REQUESTS), size["length"])


THEOREM = Theorem(
    statement="Refuted: 'farthest next use is optimal for nodes of different size that are evicted whole'. "
    "The smallest failure has 3 nodes of sizes 1 and 2 and 5 requests: 6 against 5.",
    kind=Kind.REFUTED,
    covers=(2,),
    where="docs/theory/failures.rst",
    sizes={"length": (6, 8, 10)},
    scope="smallest among all trees with sizes 1 and 2: fewer nodes and {length} requests, or fewer requests",
    check=check,
)
