"""Longest-prefix affinity is within the number of workers of the optimum, where caches hold everything.

The longest prefix of a request that is cached anywhere is cached on one worker, since caches are closed:
the holder of its last node holds all of it. Affinity finds that worker, so each node of the tree is
missed once in all, and the sum of the loads is the least possible. It is at most the sum of the optimum's
loads, hence at most m times its makespan.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction

from kvtheory.testing.instances import all_trees
from proofs_check.routing_rules import Fleet, affinity, least_makespan, makespan
from proofs_check.theorem import Kind, Row, Size, Theorem

PRICES = ((0, 1), (1, 2), (1, 1))


def check(size: Size) -> Iterator[Row]:
    """Every small tree and sequence; the case in which the bound is attained."""
    excess, repeated, cases = Fraction(-9), 0, 0
    for n in range(1, size["nodes"] + 1):
        for parents in all_trees(n):
            for requests in itertools.product(range(1, n + 1), repeat=size["length"]):
                for m, (hit, miss) in itertools.product((2, 3), PRICES):
                    fleet = Fleet(parents, m, n, hit, miss)
                    found = makespan(fleet, affinity, requests)
                    excess = max(excess, Fraction(found, least_makespan(fleet, requests)) - m)
                    held = [cache.cached for cache in fleet.caches]
                    repeated += sum(map(len, held)) > len(set[int]().union(*held))
                    cases += 1
    what = f"shapes of at most {size['nodes']} nodes, sequences of {size['length']}, 2 and 3 workers"
    yield Row(f"{what}: largest affinity/OPT - m", excess, "<=", 0, cases)
    yield Row(f"{what}: nodes that two workers cache", repeated, "==", 0, cases)
    fleet = Fleet((0, 1, 2, 1), 3, 4, 1, 1)
    requests = (2, 3, 1, 3)
    yield Row(
        "parents 0,1,2,1, m=3, hits as dear as misses, 2,3,1,3: affinity",
        makespan(fleet, affinity, requests),
        "==",
        9,
        1,
    )
    yield Row("the same: OPT", least_makespan(fleet, requests), "==", 3, 1)


THEOREM = Theorem(
    statement="Where every cache holds the whole tree, longest-prefix affinity over m workers has at most m "
    "times the least makespan, and that is attained: 9 against 3 with m = 3.",
    kind=Kind.PROVED,
    covers=(13,),
    where="docs/theory/theorems.rst",
    sizes={"nodes": (3, 3, 4), "length": (3, 5, 5)},
    scope="every tree of at most {nodes} nodes, every sequence of {length} requests, 2 and 3 workers, three "
    "prices",
    check=check,
)
