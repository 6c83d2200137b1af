"""Greedy on true cost has no bound in the number of workers where caches are finite.

m prompts that fill a cache each, each requested m times in a row, in rounds. All loads are equal when the
next prompt comes; it is cached nowhere. Its first request goes to some worker, where the second would finish
after a miss and a hit; on any other worker it finishes after a miss. So if hits cost something every worker
gets every prompt once a round, and misses each time: a_miss/a_hit in the long run.
"""

from __future__ import annotations

import itertools
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
    for m, (hit, miss), rounds in itertools.product((2, 3), ((1, 4), (3, 7)), (1, 2, size["rounds"])):
        prompts = (0,) * m
        requests = [v for v in range(1, m + 1) for _ in range(m)] * rounds
        what = f"{m} prompts {m} times each, k=1, m={m}, prices {hit} and {miss}, {rounds} rounds"
        found = makespan(Fleet(prompts, m, 1, hit, miss), greedy, requests)
        yield Row(f"{what}: greedy", found, "==", m * rounds * miss, 1)
        claimed = miss + (m * rounds - 1) * hit
        fixed = makespan(Fleet(prompts, m, 1, hit, miss), lambda _, v: v - 1, requests)
        yield Row(f"{what}: one prompt per worker", fixed, "==", claimed, 1)
        if len(requests) <= 18:
            trace = Trace.from_parents(prompts, requests)
            solved = solve_routing(trace, m, 1, method="search", alpha_cached=hit, alpha_miss=miss)
            yield Row(f"{what}: OPT", Fraction(solved.value), "==", claimed, 1)


THEOREM = Theorem(
    statement="Refuted: 'greedy on true cost stays within m times the optimum with finite leaf-LRU caches': "
    "8/3 with two workers where hits are free; a_miss/a_hit, whatever m, where they are not.",
    kind=Kind.REFUTED,
    covers=(14,),
    where="docs/theory/routing.rst",
    sizes={"routings": (256, 256, 256), "rounds": (16, 128, 1024)},
    scope="one case, its optimum over all {routings} routings; a family of up to {rounds} rounds",
    check=check,
)
