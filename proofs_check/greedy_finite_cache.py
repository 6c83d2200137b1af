"""Greedy on true cost exceeds m times the optimum where caches are finite."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from kvtheory.model import Trace
from kvtheory.offline.makespan_ilp import solve_routing
from proofs_check.routing_decouples import by_decoupling
from proofs_check.routing_rules import Fleet, greedy, makespan
from proofs_check.theorem import Kind, Row, Size, Theorem

PARENTS, WORKERS, CAPACITY = (0, 0, 2, 0, 3, 1), 2, 3
REQUESTS = (6, 1, 5, 3, 4, 6, 1, 5)


def check(size: Size) -> Iterator[Row]:
    """The case, with its optimum by the solver and by every routing with Belady."""
    trace = Trace.from_parents(PARENTS, REQUESTS)
    best = Fraction(solve_routing(trace, WORKERS, CAPACITY, method="search").value)
    found = makespan(Fleet(PARENTS, WORKERS, CAPACITY, 0, 1), greedy, REQUESTS)
    written = "parents 0,0,2,0,3,1, k=3, m=2, hits free, requests 6,1,5,3,4,6,1,5"
    yield Row(f"{written}: greedy", found, "==", 8, 1)
    yield Row(f"{written}: OPT", best, "==", 3, 1)
    every = by_decoupling(PARENTS, CAPACITY, WORKERS, REQUESTS, 0, 1)
    yield Row(f"{written}: OPT by all {size['routings']} routings", every, "==", 3, size["routings"])
    yield Row(f"{written}: greedy/OPT - m", found / best - WORKERS, ">=", Fraction(2, 3), 1)


THEOREM = Theorem(
    statement="Refuted: 'greedy on true cost stays within m times the optimum with finite leaf-LRU caches': "
    "8/3 with two workers.",
    kind=Kind.REFUTED,
    covers=(14,),
    where="docs/theory/theorems.rst",
    sizes={"routings": (256, 256, 256)},
    scope="one case; its optimum over all {routings} routings",
    check=check,
)
