"""The interval program is fractional where costs grow with depth.

The smallest case can be solved by hand. Room 2, requests 3, 2, 3, 1: while 2 is served one unit is left
for node 1, worth 1, and node 3, worth 2 but only together with node 1. Maximise x1 + 2 x3 with x1 + x3 <=
1 and x3 <= x1: half of each earns 3/2, a cache earns 1. All misses cost 7: the relaxation has 11/2, the
optimum 6.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from kvtheory.model import Trace
from kvtheory.offline.brute import brute
from kvtheory.offline.eviction_ilp import solve_ilp
from kvtheory.offline.flow import solve_flow
from proofs_check.instances import random_instances
from proofs_check.symbolic import settle
from proofs_check.theorem import Kind, Note, Row, Size, Theorem

PARENTS, CAPACITY, COST, REQUESTS = (0, 0, 1), 2, (0, 1, 1, 2), (3, 2, 3, 1)


def by_hand(z3: Any) -> tuple[list[Any], Any]:
    """No point of the relaxation earns more than 3/2, and one earns that."""
    x1, x3 = z3.Reals("x1 x3")
    hypotheses = [x1 >= 0, x3 >= 0, x1 + x3 <= 1, x3 <= x1]
    attained = z3.Exists([x1, x3], z3.And(*hypotheses, x1 + 2 * x3 == z3.Q(3, 2)))
    return hypotheses, z3.And(x1 + 2 * x3 <= z3.Q(3, 2), attained)


def check(size: Size) -> Iterator[Row | Note]:
    """The smallest case by three solvers and by hand; how far apart they come with costs 4^depth."""
    trace = Trace.from_parents(PARENTS, REQUESTS)
    written = "parents 0,0,1, k=2, costs 1,1,2, requests 3,2,3,1"
    yield Row(f"{written}: LP", solve_flow(trace, CAPACITY, cost=COST).lower_bound, "==", Fraction(11, 2), 1)
    yield Row(f"{written}: integer program", solve_ilp(trace, CAPACITY, cost=COST).value, "==", 6, 1)
    yield Row(f"{written}: dynamic programming", brute(trace.tree, REQUESTS, CAPACITY, cost=COST), "==", 6, 1)
    yield from settle("all real points of this relaxation: the LP value is 7 - 3/2", by_hand)
    gap, fractional, cases = Fraction(1), 0, 0
    for instance in random_instances(15_000, size["drawn"], nodes=7, length=14):
        cost = [0, *(4**d for d in instance.depth[1:])]
        best = brute(instance.tree, instance.requests, instance.capacity, cost=cost)
        bound = Fraction(solve_flow(instance.trace, instance.capacity, cost=cost).lower_bound)
        gap, fractional, cases = max(gap, best / bound), fractional + (bound < best), cases + 1
    yield Row("random, costs 4^depth: instances with a gap", fractional, ">=", 1, cases)
    yield Row("random, costs 4^depth: largest OPT/LP", gap, ">=", Fraction(21, 20), cases)


THEOREM = Theorem(
    statement="Refuted: 'the interval program is integral for all costs'. Where costs grow with depth it is "
    "not: the smallest case has LP 11/2 and optimum 6.",
    kind=Kind.REFUTED,
    covers=(3,),
    where="docs/theory/formulations.rst",
    sizes={"drawn": (150, 1000, 5000)},
    scope="one case by hand; {drawn} random instances of 7 nodes and 14 requests with costs 4^depth",
    check=check,
)
