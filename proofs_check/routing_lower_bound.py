"""No deterministic online routing with online eviction is better than k floor((m+1)^2/4)/m-competitive.

Take a star with m k + 1 leaves and free hits. Some leaf is cached nowhere: request it, again and again.
Every request misses, so N requests make a largest load of at least N/m.

Offline, let the m workers hold all leaves but one, each its own. A miss replaces, among the leaves on the
q = ceil(m/2) workers with the least loads so far, the one whose next request is farthest, on its worker. The
next miss is for that leaf, and all q k - 1 others on these workers come before it: misses are at least q k
requests apart, T <= ceil((N - m k)/(q k)) of them after the first m k. A load becomes M beyond the first k
on a worker that is among the q least, so m - q + 1 workers have at least M - 1: T > (m - q + 1)(M - 1). So
the makespan is at most k + 1 + (T - 1)/(m - q + 1), and the ratio tends to at least q (m - q + 1) k/m, with
q (m - q + 1) = floor((m + 1)^2/4): k for one and two workers, more than m k/4 for any number.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from fractions import Fraction

from kvtheory.model import Trace
from kvtheory.offline.belady import belady
from kvtheory.policies.fifo import LeafFIFO
from kvtheory.policies.lru import LeafLRU
from kvtheory.policy import Policy
from proofs_check.instances import misses
from proofs_check.routing_rules import ROUTERS, Fleet, Router
from proofs_check.theorem import Kind, Row, Size, Theorem

FLEETS = ((1, 3), (2, 1), (2, 2), (2, 3), (3, 1), (3, 2), (4, 2), (5, 1), (7, 1))


def adaptive(fleet: Fleet, router: Router, requests: int) -> list[int]:
    """Requests for the first leaf that no worker caches."""
    sequence = []
    for _ in range(requests):
        v = next(u for u in range(1, len(fleet.parents) + 1) if not any(u in c.cached for c in fleet.caches))
        sequence.append(v)
        fleet.send(router(fleet, v), v)
    return sequence


def spread(leaves: Sequence[int], workers: int, capacity: int) -> tuple[list[int], list[int]]:
    """The offline schedule of the proof: the worker of every request, and the misses of every worker."""
    place: dict[int, int] = {}
    loads, routing = [0] * workers, []
    uses: dict[int, list[int]] = {}
    for t in range(len(leaves) - 1, -1, -1):
        uses.setdefault(leaves[t], []).append(t)
    for v in leaves:
        uses[v].pop()
        if v not in place:
            order = sorted(range(workers), key=lambda j: loads[j])
            if len(place) < workers * capacity:
                place[v] = next(j for j in order if loads[j] < capacity)
            else:
                least = order[: -(-workers // 2)]
                held = [u for u, j in place.items() if j in least]
                place[v] = place.pop(max(held, key=lambda u: uses[u][-1] if uses[u] else len(leaves)))
            loads[place[v]] += 1
        routing.append(place[v])
    return routing, loads


def bound(requests: int, m: int, k: int) -> int:
    """Largest load of that schedule, by the proof."""
    if requests <= m * k:
        return k
    q = -(-m // 2)
    later = -(-(requests - m * k) // (q * k))
    return k + 1 + (later - 1) // (m - q + 1)


def unpaid(leaves: Sequence[int], workers: int, capacity: int) -> bool:
    """Whether some worker of the schedule has more misses under Belady than the schedule says."""
    routing, loads = spread(leaves, workers, capacity)
    for j in set(routing):
        mine = [v for v, worker in zip(leaves, routing, strict=True) if worker == j]
        trace = Trace.from_parents((0,) * (workers * capacity + 1), mine)
        if misses(trace, belady(trace, capacity).hit) > loads[j]:
            return True
    return False


def check(size: Size) -> Iterator[Row]:
    """Every short sequence of small stars; every router with two eviction policies, on several fleets."""
    length = size["length"]
    for m, k in ((2, 1), (3, 1), (2, 2)):
        above, untrue, cases, replayed = 0, 0, 0, 0
        for leaves in itertools.product(range(1, m * k + 2), repeat=length):
            above += max(spread(leaves, m, k)[1]) > bound(length, m, k)
            if cases % 50 == 0:
                untrue += unpaid(leaves, m, k)
                replayed += 1
            cases += 1
        what = f"every sequence of {length} requests, m={m}, k={k}"
        yield Row(f"{what}: schedules above the bound", above, "==", 0, cases)
        yield Row(f"{what}, one in 50: workers with more misses than counted", untrue, "==", 0, replayed)
    requests = size["requests"]
    policies: tuple[type[Policy], ...] = (LeafLRU, LeafFIFO)
    for name, router in ROUTERS.items():
        shortfall, dear, untrue, cases = Fraction(-requests), 0, 0, 0
        for m, k in FLEETS:
            for policy in policies:
                fleet = Fleet((0,) * (m * k + 1), m, k, 0, 1, policy)
                sequence = adaptive(fleet, router, requests)
                best = max(spread(sequence, m, k)[1])
                dear += best > bound(requests, m, k)
                untrue += unpaid(sequence, m, k)
                # the optimum's first loads are not repeated: k misses of a worker, and the first one later
                forced = Fraction(max(fleet.loads), max(1, best - k - 1))
                shortfall = max(shortfall, Fraction(k * ((m + 1) ** 2 // 4), m) - forced)
                cases += 1
        yield Row(
            f"{name}, {requests} requests: largest bound - ratio beyond the first loads",
            shortfall,
            "<=",
            0,
            cases,
        )
        yield Row(f"{name}: offline schedules above the bound", dear, "==", 0, cases)
        yield Row(f"{name}: offline schedules that are none", untrue, "==", 0, cases)


THEOREM = Theorem(
    statement="Every deterministic online algorithm that routes to m workers and evicts from their caches of "
    "k nodes is at least k floor((m+1)^2/4)/m-competitive in makespan: at least k, and more than m k/4.",
    kind=Kind.PROVED,
    covers=(14,),
    where="docs/theory/routing.rst",
    sizes={"requests": (300, 1500, 6000), "length": (7, 8, 9)},
    scope="four routers, two eviction policies, nine fleets, {requests} adaptive requests; the schedule "
    "on every sequence of {length} requests in three fleets",
    check=check,
)
