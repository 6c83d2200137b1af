"""No deterministic online routing with online eviction is better than k-competitive.

Take a star with m k + 1 leaves and free hits. Some leaf is cached nowhere: request it, again and again.
Every request misses, so N requests make a largest load of at least N/m. Offline, let the m workers hold
all leaves but one, each its own; a miss replaces the leaf whose next request is farthest, on the worker
that holds it: at most one miss in m k requests after the first m k, so the makespan is at most N/(m k)
and a constant. The ratio is at least k.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from kvtheory.policies.fifo import LeafFIFO
from kvtheory.policies.lru import LeafLRU
from kvtheory.policy import Policy
from proofs_check.routing_rules import ROUTERS, Fleet, Router
from proofs_check.theorem import Kind, Row, Size, Theorem


def adaptive(fleet: Fleet, router: Router, requests: int) -> list[int]:
    """Requests for the first leaf that no worker caches."""
    sequence = []
    for _ in range(requests):
        v = next(u for u in range(1, len(fleet.parents) + 1) if not any(u in c.cached for c in fleet.caches))
        sequence.append(v)
        fleet.send(router(fleet, v), v)
    return sequence


def pooled(leaves: list[int], workers: int, capacity: int) -> int:
    """Makespan of a true offline schedule: leaves stay where they are, a miss replaces the farthest use."""
    place: dict[int, int] = {}
    loads = [0] * workers
    for t, v in enumerate(leaves):
        if v in place:
            continue
        room = [j for j in range(workers) if list(place.values()).count(j) < capacity]
        if room:
            place[v] = min(room, key=lambda j: loads[j])
        else:
            rest = leaves[t + 1 :]
            place[v] = place.pop(max(place, key=lambda u: rest.index(u) if u in rest else len(rest)))
        loads[place[v]] += 1
    return max(loads)


def check(size: Size) -> Iterator[Row]:
    """Every router with two eviction policies, on several fleets."""
    requests = size["requests"]
    policies: tuple[type[Policy], ...] = (LeafLRU, LeafFIFO)
    for name, router in ROUTERS.items():
        shortfall, dear, cases = Fraction(-requests), 0, 0
        for m, k in ((1, 3), (2, 1), (2, 2), (2, 3), (3, 2)):
            for policy in policies:
                fleet = Fleet((0,) * (m * k + 1), m, k, 0, 1, policy)
                sequence = adaptive(fleet, router, requests)
                best = pooled(sequence, m, k)
                dear += best * m * k > requests + (m * k) ** 2
                # the optimum's first loads: at most m k misses that are not one in m k requests
                forced = Fraction(max(fleet.loads), best - min(best - 1, m * k))
                shortfall = max(shortfall, k - forced)
                cases += 1
        yield Row(
            f"{name}, {requests} requests: largest k - ratio beyond the first loads",
            shortfall,
            "<=",
            0,
            cases,
        )
        yield Row(f"{name}: offline schedules above N/(mk) + mk", dear, "==", 0, cases)


THEOREM = Theorem(
    statement="Every deterministic online algorithm that routes to m workers and evicts from their caches "
    "of k nodes is at least k-competitive in makespan.",
    kind=Kind.PROVED,
    covers=(14,),
    where="docs/theory/theorems.rst",
    sizes={"requests": (300, 1500, 6000)},
    scope="four routers, two eviction policies, five fleets, {requests} adaptive requests",
    check=check,
)
