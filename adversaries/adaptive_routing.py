"""The adversary that looks into all caches and asks for what no worker holds: no router escapes.

A star of m k + 1 leaves, hits are free. m caches of k nodes lack some leaf: request it. Every request is a
miss wherever it goes, so N of them make a load of N/m. Offline, keep all leaves but one. On a miss, of the
ceil(m/2) workers that have loaded least so far, evict the leaf whose next request is last: that comes after
those of all other leaves that these workers hold. So misses are k ceil(m/2) requests apart; and when a load
becomes the largest, at least floor(m/2) + 1 workers are at most one behind, so that misses are spread.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from adversaries.adaptive import ask_for_missing
from adversaries.chains import require_positive
from adversaries.forces import DETERMINISTIC
from adversaries.live_fleet import LiveFleet
from adversaries.routing_forces import ForcedRouting, ForcesRouting
from kvtheory.errors import InputError
from kvtheory.model import CostModel, PrefixTree, Trace
from kvtheory.registry import parse_router, policy_with_columns
from kvtheory.shapes import star


def adaptive_routing(
    *, router: str = "greedy", policy: str = "lru", workers: int = 4, k: int = 4, requests: int = 1000
) -> Trace:
    """A leaf that no worker holds, again and again: every request is a miss. [Sleator1985]_

    It forces k floor((m + 1)^2/4)/m on that router with that policy, where hits are free: k for two workers,
    more than m k/4 for any number.

    Args:
        router: name of a router that does not draw, with its options.
        policy: name of a policy that does not draw.
        workers: m.
        k: nodes that each caches.
        requests: how many, all at time 0.
    """
    require_positive(workers=workers, k=k, requests=requests)
    victim = policy_with_columns(policy)
    _, make, kind = parse_router(router)
    for name, draws, field in ((policy, victim.randomised(), "policy"), (router, kind.draws, "router")):
        if draws:
            raise InputError(f"'{name}' draws: what is missing is not known beforehand", field=field)
    leaves = workers * k + 1
    tree = PrefixTree.from_parents(star(leaves))
    asked = ask_for_missing(LiveFleet(tree, workers, k, victim, make), range(1, leaves + 1), requests)
    source = f"adaptive_routing:{router=!s},{policy=!s},{workers=},{k=},{requests=}"
    return Trace(tree, np.array(asked, dtype=np.int32), source=source)


def _count(workers: int, k: int, requests: int) -> ForcedRouting:
    m, half = workers, -(-workers // 2)
    opt = -(-requests // m) if requests < m * k else k
    if requests > m * k:
        apart = 1 + (requests - m * k - 1) // (k * half)
        opt += 1 + (apart - 1) // (m // 2 + 1)
    limit = Fraction(k * half * (m // 2 + 1), m)
    return ForcedRouting(m, k, CostModel(), Fraction(-(-requests // m)), Fraction(opt), limit)


def spread(trace: Trace, forced: ForcedRouting) -> Sequence[int]:
    """The offline schedule: a miss replaces the farthest next use on the workers that have loaded least."""
    asked, m, k = trace.requests.tolist(), forced.workers, forced.capacity
    later: dict[int, list[int]] = {}
    for t in range(len(asked) - 1, -1, -1):
        later.setdefault(asked[t], []).append(t)
    place: dict[int, int] = {}
    loads, held, routing = [0] * m, [0] * m, []
    for v in asked:
        later[v].pop()
        if v not in place:
            room = [j for j in range(m) if held[j] < k]
            if room:
                place[v] = min(room, key=lambda j: loads[j])
                held[place[v]] += 1
            else:
                low = set(sorted(range(m), key=lambda j: loads[j])[: -(-m // 2)])
                candidates = [u for u, j in place.items() if j in low]
                victim = max(candidates, key=lambda u: later[u][-1] if later[u] else len(asked))
                place[v] = place.pop(victim)
            loads[place[v]] += 1
        routing.append(place[v])
    return routing


CASES = (
    {"workers": 4, "k": 2, "requests": 200},
    {"workers": 1, "k": 3, "requests": 60},
    {"workers": 2, "k": 1, "requests": 14},
    {"workers": 2, "k": 3, "requests": 100},
    {"workers": 3, "k": 2, "requests": 13},
    {"workers": 5, "k": 3, "requests": 250},
    {"workers": 3, "k": 2, "requests": 5},
)

ROUTING = (
    ForcesRouting(
        adaptive_routing,
        DETERMINISTIC,
        "at least k floor((m + 1)^2/4)/m",
        "",
        _count,
        spread,
        CASES,
        makespan_is=">=",
        opt_is="<=",
        longer="requests",
        evicted_by=("lru", "fifo"),
    ),
)
