"""No router is worse than m a_miss/a_hit; affinity and equal counts come as near to that as one likes.

Whatever is routed where and evicted when, all loads together are at most a_miss for each requested node; the
optimum's are at least a_hit for each, and the largest at least their mean.

Affinity: m chains of k nodes share p of them, requested by turns, R rounds. All requests go to the worker
that has the p nodes, and miss the k - p others: (p a_hit + (k - p) a_miss) m R, but for the first misses.
Equal counts: of m requests one is for one of m chains of k nodes, by turns, and m - 1 for the node that
they share. One worker gets all the chains and misses k - 1 nodes each time. With one chain per worker all is
hit. Both ratios tend to m a_miss/a_hit as R and k grow.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from kvtheory.model import Trace
from kvtheory.offline.makespan_ilp import solve_routing
from kvtheory.testing.instances import Parents, all_trees, requestable
from proofs_check.routing_decouples import by_decoupling
from proofs_check.routing_rules import ROUTERS, Fleet
from proofs_check.routing_rules import makespan as routed
from proofs_check.symbolic import settle
from proofs_check.theorem import Kind, Note, Row, Size, Theorem

PRICES = ((1, 2), (1, 5), (2, 3))


def chains(m: int, k: int, p: int) -> tuple[Parents, list[int]]:
    """So many chains of k nodes that share the first p, and their last nodes."""
    parents, tips = list(range(p)), []
    for _ in range(m):
        parents += [p, *range(len(parents) + 1, len(parents) + k - p)]
        tips.append(len(parents))
    return tuple(parents), tips


def limits(z3: Any) -> tuple[list[Any], Any]:
    """In the long run, for all prices, m, k and p = 1, affinity's ratio is m b/a less (m b/a - m)/k."""
    a, b, m, k = z3.Reals("a b m k")
    ratio = m * (a + (k - 1) * b) / (k * a)
    return [0 < a, a <= b, m >= 2, k >= 2], ratio == m * b / a - (m * b / a - m) / k


def worst(parents: Parents, capacity: int, m: int, requests: tuple[int, ...], hit: int, miss: int) -> int:
    """The largest load of any routing, with leaf-LRU."""
    found = 0
    for routing in itertools.product(range(m), repeat=len(requests)):
        fleet = Fleet(parents, m, capacity, hit, miss)
        for v, j in zip(requests, routing, strict=True):
            fleet.send(j, v)
        found = max(found, *fleet.loads)
    return found


def check(size: Size) -> Iterator[Row | Note]:
    """Every routing of every short sequence; the two families, their optimum by search where it is short."""
    excess, cases = Fraction(-99), 0
    for parents in all_trees(3):
        for capacity in (1, 2, 3):
            for requests in itertools.product(requestable(parents, capacity), repeat=size["length"]):
                for hit, miss in PRICES[:2]:
                    best = by_decoupling(parents, capacity, 2, requests, hit, miss)
                    ratio = Fraction(worst(parents, capacity, 2, requests, hit, miss), best)
                    excess = max(excess, ratio - Fraction(2 * miss, hit))
                    cases += 1
    what = f"shapes of 3 nodes, sequences of {size['length']}, 2 workers, every routing with leaf-LRU"
    yield Row(f"{what}: largest makespan/OPT - m a_miss/a_hit", excess, "<=", 0, cases)
    for m, (hit, miss), (k, p) in itertools.product((2, 3), PRICES, ((2, 1), (3, 1), (3, 2))):
        for rounds in (1, 2, size["rounds"]):
            parents, tips = chains(m, k, p)
            asked, setting = tips * rounds, (m, k, hit, miss)
            what = f"{m} chains of {k} sharing {p}, k={k}, prices {hit} and {miss}, {rounds} rounds"
            bad = p * (miss + (m * rounds - 1) * hit) + m * rounds * (k - p) * miss
            found = routed(Fleet(parents, *setting), ROUTERS["affinity"], asked)
            yield Row(f"{what}: affinity", found, "==", bad, 1)
            yield from _optimum(what, parents, asked, setting, k * (miss + (rounds - 1) * hit))
            if p > 1:
                continue
            asked = [v for tip in tips for v in (tip, *[1] * (m - 1))] * rounds
            what = (
                f"every {m}th request for one of {m} chains of {k}, prices {hit} and {miss}, {rounds} rounds"
            )
            bad = miss + (m * rounds - 1) * hit + m * rounds * (k - 1) * miss
            found = routed(Fleet(parents, *setting), ROUTERS["round robin"], asked)
            yield Row(f"{what}: round robin", found, "==", bad, 1)
            good = k * (miss + (rounds - 1) * hit) + (m - 1) * rounds * hit
            yield from _optimum(what, parents, asked, setting, good)
    yield from settle("all reals 0 < a <= b, m, k >= 2: affinity's ratio in the long run", limits)


def _optimum(
    what: str, parents: Parents, asked: list[int], setting: tuple[int, int, int, int], claimed: int
) -> Iterator[Row]:
    if len(asked) <= 12:
        m, k, hit, miss = setting
        trace = Trace.from_parents(parents, asked)
        found = solve_routing(trace, m, k, method="search", alpha_cached=hit, alpha_miss=miss).value
        yield Row(f"{what}: OPT", Fraction(found), "==", claimed, 1)


THEOREM = Theorem(
    statement="With any routing and any eviction the makespan is at most m a_miss/a_hit times the least one. "
    "Longest-prefix affinity and round robin come as near to that as one likes, where a cache holds one "
    "prompt.",
    kind=Kind.PROVED,
    covers=(13,),
    where="docs/theory/routing.rst",
    sizes={"length": (3, 4, 5), "rounds": (32, 256, 2048)},
    scope="every tree of 3 nodes, every sequence of {length} requests, every routing to 2 workers; two "
    "families of up to {rounds} rounds; the limit for all prices by z3",
    check=check,
)
