"""Round robin and least loaded: as bad as the price of a miss over that of a hit.

Two prompts that fill a cache each, requested as A A B B A A B B ..: two workers by turns, or by least
load (all requests cost the same), get A, B, A, B, ... each and miss every time: r misses each for 2r
requests. One prompt per worker misses once and hits r - 1 times.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from kvtheory.model import Trace
from kvtheory.offline.makespan_ilp import solve_routing
from proofs_check.routing_rules import ROUTERS, Fleet, makespan
from proofs_check.symbolic import settle
from proofs_check.theorem import Kind, Note, Row, Size, Theorem


def limit(z3: Any) -> tuple[list[Any], Any]:
    """The ratio r b/(b + (r - 1) a) is below b/a, and within e of it once r e a^2 >= b^2."""
    a, b, r, e = z3.Reals("a b r e")
    hypotheses = [0 < a, a < b, r >= 1, e > 0, r * e * a * a >= b * b]
    optimum = b + (r - 1) * a
    return hypotheses, z3.And(r * b * a < b * optimum, r * b * a >= (b - e * a) * optimum)


def check(size: Size) -> Iterator[Row | Note]:
    """The family for several prices and lengths; its optimum by search where it is short."""
    for hit, miss in ((0, 1), (1, 10), (3, 7)):
        for r in (8, size["rounds"]):
            requests = [1, 1, 2, 2] * (r // 2)
            what = f"AABB.., {2 * r} requests, prices {hit} and {miss}"
            for name in ("round robin", "least loaded"):
                found = makespan(Fleet((0, 0), 2, 1, hit, miss), ROUTERS[name], requests)
                yield Row(f"{what}: {name}", found, "==", r * miss, 1)
            if r <= 8:
                trace = Trace.from_parents([0, 0], requests)
                solved = solve_routing(trace, 2, 1, method="search", alpha_cached=hit, alpha_miss=miss)
                best = solved.value
                yield Row(f"{what}: OPT", best, "==", miss + (r - 1) * hit, 1)
    worst = Fraction(size["rounds"] * 10, 10 + size["rounds"] - 1)
    yield Row(f"prices 1 and 10, {size['rounds']} requests per worker: ratio", worst, "<=", 10, 1)
    yield from settle("all reals 0 < a < b: the family's ratio tends to b/a from below", limit)


THEOREM = Theorem(
    statement="Round robin and least-loaded routing have ratio at least a_miss/a_hit, already with two "
    "workers and two prompts that fill a cache each, requested as AABB...",
    kind=Kind.PROVED,
    covers=(13,),
    where="docs/theory/theorems.rst",
    sizes={"rounds": (128, 512, 8192)},
    scope="up to {rounds} requests per worker; the limit for all prices by z3",
    check=check,
)
