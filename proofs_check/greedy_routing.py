"""Greedy on true cost is within the number of workers of the optimum, where caches hold everything.

Let T be the least total cost of the requests so far: one cache would pay it. Greedy's largest load M is
at most T. For the next request, the longest prefix that is cached anywhere is cached on one worker, since
caches are closed; there it costs exactly what T grows by, c. Sent there, the load would be at most M + c
<= T + c; greedy chooses the worker with the least new load, so that is at most T + c too. And T is at
most the sum of the optimum's loads, m times its makespan.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from typing import Any

from kvtheory.testing.instances import all_trees
from proofs_check.routing_rules import Fleet, greedy, least_makespan, makespan
from proofs_check.symbolic import settle
from proofs_check.theorem import Kind, Note, Row, Size, Theorem

PRICES = ((0, 1), (1, 3), (1, 20))
FOUND = (  # parents, workers, prices, requests, greedy, OPT
    ((0, 0, 2, 1, 2), 2, (1, 20), (4, 4, 2, 2, 5), 27, 14),
    ((0, 0, 0), 3, (1, 20), (1, 1, 1, 2, 2, 2, 3), 30, 11),
)


def one_request(z3: Any, m: int) -> tuple[list[Any], Any]:
    """Loads at most T, and the request costs c on some worker: the least new load is at most T + c."""
    loads = z3.Reals(" ".join(f"L{i}" for i in range(m)))
    costs = z3.Reals(" ".join(f"c{i}" for i in range(m)))
    total, grows = z3.Reals("T c")
    hypotheses = [x <= total for x in loads] + [x >= grows for x in costs] + [grows >= 0]
    hypotheses.append(z3.Or(*(x == grows for x in costs)))
    least = [z3.And(*(loads[j] + costs[j] <= loads[i] + costs[i] for i in range(m))) for j in range(m)]
    bounded = [z3.Implies(least[j], loads[j] + costs[j] <= total + grows) for j in range(m)]
    return hypotheses, z3.And(*bounded)


def family(m: int, hit: int, miss: int) -> tuple[Fleet, list[int]]:
    """x_1 m times, x_2 m times, ..., x_(m-1) m times, x_m."""
    requests = [v for v in range(1, m) for _ in range(m)] + [m]
    return Fleet((0,) * m, m, m, hit, miss), requests


def check(size: Size) -> Iterator[Row | Note]:
    """Every small tree and sequence; the family that comes near the bound; the bad cases that were found."""
    excess, cases = Fraction(-9), 0
    for n in range(1, size["nodes"] + 1):
        for parents in all_trees(n):
            for requests in itertools.product(range(1, n + 1), repeat=size["length"]):
                for m, (hit, miss) in itertools.product((2, 3), PRICES):
                    fleet = Fleet(parents, m, n, hit, miss)
                    found = makespan(fleet, greedy, requests)
                    excess = max(excess, Fraction(found, least_makespan(fleet, requests)) - m)
                    cases += 1
    what = f"shapes of at most {size['nodes']} nodes, sequences of {size['length']}, 2 and 3 workers"
    yield Row(f"{what}: largest greedy/OPT - m", excess, "<=", 0, cases)
    for m, (hit, miss) in itertools.product((2, 3), ((1, 20), (1, 1000))):
        fleet, asked = family(m, hit, miss)
        claimed = Fraction(m * miss, miss + (m - 1) * hit)
        found = makespan(fleet, greedy, asked)
        what = f"x_1^m .. x_(m-1)^m x_m, m={m}, prices {hit} and {miss}"
        yield Row(f"{what}: greedy/OPT", Fraction(found, least_makespan(fleet, asked)), "==", claimed, 1)
    for parents, m, (hit, miss), sequence, bad, best in FOUND:
        fleet = Fleet(parents, m, len(parents), hit, miss)
        what = f"parents {','.join(map(str, parents))}, m={m}, prices {hit} and {miss}"
        what += f", requests {','.join(map(str, sequence))}: greedy/OPT"
        found = makespan(fleet, greedy, sequence)
        yield Row(what, Fraction(found, least_makespan(fleet, sequence)), "==", Fraction(bad, best), 1)
    for m in (2, 3, 4):
        yield from settle(
            f"all real loads and costs, m={m}: the largest load stays below T", partial(one_request, m=m)
        )


THEOREM = Theorem(
    statement="Where every cache holds the whole tree, greedy routing on true cost has at most m times the "
    "least makespan. On x_1^m x_2^m .. x_(m-1)^m x_m it has m a_miss/(a_miss + (m-1) a_hit) times, which "
    "tends to m.",
    kind=Kind.PROVED,
    covers=(14,),
    where="docs/theory/theorems.rst",
    sizes={"nodes": (3, 3, 4), "length": (3, 5, 5)},
    scope="every tree of at most {nodes} nodes, every sequence of {length} requests, 2 and 3 workers, three "
    "prices; the step of the proof for all loads and m = 2, 3, 4 by z3",
    check=check,
)
