"""Belady does not minimise the cost of the dearest request."""

from __future__ import annotations

from collections.abc import Iterator

from proofs_check.schedules import Case
from proofs_check.theorem import Kind, Row, Size, Theorem

PARENTS, CAPACITY, REQUESTS = (0, 1, 0, 0), 2, (1, 3, 4, 3, 2)
CASE = Case(latency=True)


def check(size: Size) -> Iterator[Row]:
    """The case, and that nothing smaller fails."""
    yield from CASE.compared(PARENTS, CAPACITY, [1] * 4, REQUESTS, 2, 1)
    yield from CASE.smallest(4, len(REQUESTS), size["length"])


THEOREM = Theorem(
    statement="Refuted: 'Belady minimises the worst single latency'. The smallest failure has 4 nodes and 5 "
    "requests: 2 against 1.",
    kind=Kind.REFUTED,
    covers=(2,),
    where="docs/theory/failures.rst",
    sizes={"length": (5, 7, 8)},
    scope="smallest among all trees with fewer nodes and {length} requests, or 4 nodes and fewer requests",
    check=check,
)
