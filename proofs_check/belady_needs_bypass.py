"""Where bypass is allowed, Belady that keeps every served path is not optimal."""

from __future__ import annotations

from collections.abc import Iterator

from proofs_check.schedules import Case
from proofs_check.theorem import Kind, Row, Size, Theorem

STAR, CAPACITY, REQUESTS = (0, 0), 1, (1, 2, 1)
CASE = Case(optimum_bypasses=True)


def check(size: Size) -> Iterator[Row]:
    """The case, and that nothing smaller fails."""
    yield from CASE.compared(STAR, CAPACITY, [1, 1], REQUESTS, 3, 2)
    yield from CASE.smallest(2, len(REQUESTS), size["length"])


THEOREM = Theorem(
    statement="Refuted: 'keeping every served path costs nothing where bypass is allowed'. The smallest "
    "failure has 2 nodes and 3 requests: 3 against 2.",
    kind=Kind.REFUTED,
    covers=(2,),
    where="docs/theory/failures.rst",
    sizes={"length": (8, 8, 12)},
    scope="smallest: one node and {length} requests, or 2 nodes and fewer than 3 requests",
    check=check,
)
