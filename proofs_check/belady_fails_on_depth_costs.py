"""Belady is not optimal where the price of a miss depends on depth, growing or falling."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from proofs_check.schedules import Case
from proofs_check.theorem import Kind, Row, Size, Theorem

TWIG, CAPACITY = (0, 1, 1, 0), 3
CASES = (
    ("depth", Case(cost=lambda depth, size: depth), (2, 4, 3, 4, 2), 8, 7),
    ("100 + depth", Case(cost=lambda depth, size: 100 + depth), (2, 4, 3, 4, 2), 508, 507),
    ("10 - depth", Case(cost=lambda depth, size: 10 - depth), (2, 4, 3, 2, 4), 43, 42),
)


def check(size: Size) -> Iterator[Row]:
    """The three cases, and that nothing smaller fails."""
    for number, (name, case, requests, claimed, best) in enumerate(CASES):
        for row in case.compared(TWIG, CAPACITY, [1] * 4, requests, claimed, best):
            yield replace(row, what=f"cost = {name}, {row.what}")
        if number < size["cases"]:
            for row in case.smallest(4, len(requests), size["length"]):
                yield replace(row, what=f"cost = {name}, {row.what}")


THEOREM = Theorem(
    statement="Refuted: 'Belady is optimal when the price of a miss is a function of depth'. The smallest "
    "failures have 4 nodes and 5 requests: 8 against 7, 508 against 507 and, with falling prices, 43 "
    "against 42.",
    kind=Kind.REFUTED,
    covers=(2,),
    where="docs/theory/failures.rst",
    sizes={"length": (5, 7, 8), "cases": (1, 3, 3)},
    scope="smallest among all trees with fewer nodes and {length} requests, or 4 nodes and fewer requests, "
    "for {cases} of the prices",
    check=check,
)
