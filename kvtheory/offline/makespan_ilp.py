"""The joint optimum of routing and eviction: makespan, total cost, or worst latency [Wu2026]_.

Cost of request q on a worker that caches h of its nodes: alpha_cached * h + alpha_miss * (|q| - h) + output.
Two exact methods: `search` (:mod:`kvtheory.offline.routing_search`), depth first over routings with every
worker's eviction solved exactly, all in integers; and `ilp`, an integer program in interval form through PuLP
and HiGHS whose bound is proved by branch and bound with exact duals. The search wins up to two dozen
requests, the program beyond: `auto` searches for five seconds and then turns to the program.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from math import inf

import numpy as np

from kvtheory.errors import InputError, VerificationError
from kvtheory.model import LongArray, Trace
from kvtheory.offline.belady import belady
from kvtheory.offline.branch import Search
from kvtheory.offline.closure import NO_ROWS
from kvtheory.offline.costs import require_costs, scaled
from kvtheory.offline.eviction_ilp import check_limits, solve_ilp
from kvtheory.offline.program import FloatArray, Rows
from kvtheory.offline.pulp_solver import solve_pulp
from kvtheory.offline.result import GAP, LIMIT, Number, Solution, conclude
from kvtheory.offline.routing_program import RoutingProgram
from kvtheory.offline.routing_search import RoutingSearch
from kvtheory.offline.witness import ReplayedRouting, replay_routing
from kvtheory.offline.worker_costs import Routing, latency_states, shrunk

OBJECTIVES = ("makespan", "total", "latency")
METHODS = ("auto", "search", "ilp")
SEARCH_SECONDS = 5.0  # how long `auto` searches before it turns to the integer program


def solve_routing(
    trace: Trace,
    workers: int,
    capacity: int,
    *,
    alpha_cached: Number = 0,
    alpha_miss: Number = 1,
    output: Number | Sequence[Number] = 0,
    weight: Sequence[Number] | None = None,
    release: Sequence[Number] | None = None,
    objective: str = "makespan",
    method: str = "auto",
    time_limit: float | None = None,
    gap: float = 0.0,
) -> Solution:
    """The least makespan, total cost or worst latency of any routing with any evictions.

    Args:
        trace: the requests; of a path longer than the capacity the first `capacity` nodes are served and
            the rest are misses.
        workers: how many identical workers there are.
        capacity: nodes each worker's cache holds.
        alpha_cached: cost per unit of hit.
        alpha_miss: cost per unit of miss, at least `alpha_cached`.
        output: cost of the answers, one for all or one per request.
        weight: units of each node (tokens); default 1.
        release: when each request arrives, non-decreasing; default all at 0. Used by `latency` only.
        objective: `makespan` (largest summed service cost of a worker, no idle time), `total`, or `latency`
            (largest queueing plus service time; workers serve in order of arrival).
        method: `auto`, `search` or `ilp`.
        time_limit: seconds; on reaching it the status is `limit`, with the best routing and bound found.
        gap: stop when (value - bound) / value is at most this; the status is then `gap`.

    Raises:
        InputError: if there are no workers, a cost is negative or not exact, a hit is dearer than a miss,
            releases decrease, or a name is unknown.
    """
    began = time.perf_counter()
    check_limits(time_limit, gap)
    deadline = inf if time_limit is None else began + time_limit
    factor, routing = _routing(
        trace, workers, capacity, alpha_cached, alpha_miss, output, weight, release, objective
    )
    if method not in METHODS:
        raise InputError(f"{method!r} is not one of {', '.join(METHODS)}", field="method")
    search = RoutingSearch(routing)
    assigned, name = search.improve(search.greedy(), deadline), "ilp"
    bound = search.lower_bound([0] * workers, 0)
    if method != "ilp":
        both = method == "auto" and routing.objective != "latency"
        found = search.run(min(deadline, began + SEARCH_SECONDS) if both else deadline, gap, assigned)
        assigned, bound, name = found.workers, found.bound, "search"
        method = "ilp" if both and _open(search.value(assigned), bound, gap) else method
    if method == "ilp" and time.perf_counter() < deadline:
        assigned, proved = _by_ilp(routing, search, assigned, deadline, gap)
        bound, name = max(bound, proved), "ilp"
    victims = routing_victims(routing, assigned)
    seen = replayed_routing(routing, assigned, victims)
    value = measure(routing, seen)
    if value != search.value(assigned):
        raise VerificationError(
            f"the replayed routing costs {value}, the search said {search.value(assigned)}"
        )
    close = gap > 0 and not _open(value, bound, gap)
    return conclude(
        Fraction(value) / factor,
        Fraction(bound) / factor,
        seen.misses + _cut_nodes(trace, routing.trace),
        victims,
        method=name,
        seconds=time.perf_counter() - began,
        otherwise=GAP if close else LIMIT,
        workers=assigned,
        loads=[Fraction(x) / factor for x in seen.loads],
    )


def _routing(
    trace: Trace,
    workers: int,
    capacity: int,
    alpha_cached: Number,
    alpha_miss: Number,
    output: Number | Sequence[Number],
    weight: Sequence[Number] | None,
    release: Sequence[Number] | None,
    objective: str,
) -> tuple[int, Routing]:
    """Validate and scale to integers: the factor and the problem."""
    n, requests = trace.tree.n, len(trace)
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise InputError(f"{workers!r} workers: at least one is needed", field="workers")
    if objective not in OBJECTIVES:
        raise InputError(f"{objective!r} is not one of {', '.join(OBJECTIVES)}", field="objective")
    served, _ = trace.cut(capacity)
    outputs: Sequence[Number] = [output] * requests if isinstance(output, (int, Fraction)) else list(output)
    weights: Sequence[Number] = [0, *([1] * n)] if weight is None else list(weight)
    releases: Sequence[Number] = [0] * requests if release is None else list(release)
    require_costs([alpha_cached], 1, "alpha-cached")
    require_costs([alpha_miss], 1, "alpha-miss")
    require_costs(outputs, requests, "output")
    require_costs(weights, n + 1, "weight")
    require_costs(releases, requests, "release")
    if alpha_cached > alpha_miss:
        raise InputError(f"alpha_cached {alpha_cached} exceeds alpha_miss {alpha_miss}", field="alpha-cached")
    if any(b < a for a, b in pairwise(releases)):
        raise InputError("release times decrease", field="release")
    rest: list[Number] = []
    for t in range(requests):
        v, stop = int(trace.requests[t]), int(served.requests[t])
        more: Number = 0
        while v != stop:
            more += alpha_miss * weights[v]
            v = int(trace.tree.parent[v])
        rest.append(outputs[t] + more)
    hit = [0, *(alpha_cached * w for w in weights[1:])]
    miss = [0, *(alpha_miss * w for w in weights[1:])]
    factor, (hit_int, miss_int, fixed, times) = scaled(hit, miss, rest, releases)
    used = {u for v in set(served.requests.tolist()) for u in trace.tree.path(v)}
    even = len({(hit_int[v], miss_int[v]) for v in used}) <= 1
    routing = Routing(served, workers, int(capacity), hit_int, miss_int, fixed, times, objective, even)
    return factor, routing


def _cut_nodes(whole: Trace, served: Trace) -> int:
    return int((whole.depths - served.depths).sum())


def measure(routing: Routing, seen: ReplayedRouting) -> int:
    """The objective of a replayed routing, in scaled integers."""
    if routing.objective == "latency":
        return int(max(seen.latencies, default=0))
    return int(sum(seen.loads) if routing.objective == "total" else max(seen.loads))


def replayed_routing(
    routing: Routing, assigned: Sequence[int], victims: Sequence[Sequence[int]]
) -> ReplayedRouting:
    """What the independent replayer finds, in scaled integers; a node's weight is its miss above its hit."""
    trace = routing.trace
    parent, requests = trace.tree.parent.tolist(), trace.requests.tolist()
    fixed = [
        routing.fixed[t] + sum(routing.hit[u] for u in trace.tree.path(v)) for t, v in enumerate(requests)
    ]
    extra = [m - h for m, h in zip(routing.miss, routing.hit, strict=True)]
    return replay_routing(
        parent,
        requests,
        routing.workers,
        routing.capacity,
        assigned,
        victims,
        alpha_cached=0,
        alpha_miss=1,
        output=fixed,
        release=routing.release,
        weight=extra,
    )


def routing_victims(routing: Routing, assigned: Sequence[int]) -> list[list[int]]:
    """Optimal evictions of each worker for a routing, as victims per request."""
    victims: list[list[int]] = [[] for _ in assigned]
    for j in range(routing.workers):
        served = [t for t, w in enumerate(assigned) if w == j]
        if not served:
            continue
        mine = Trace(routing.tree, routing.trace.requests[np.array(served)])
        if routing.objective == "latency":
            steps: Sequence[Sequence[int]] = _latency_victims(routing, tuple(served))
        elif routing.even:
            plan = belady(mine, routing.capacity, witness=True)
            cuts = plan.offsets.tolist()
            steps = [plan.victims[a:b].tolist() for a, b in pairwise(cuts)]
        else:
            steps = solve_ilp(mine, routing.capacity, cost=routing.miss, hit_cost=routing.hit).victims
        for t, step in zip(served, steps, strict=True):
            victims[t] = list(step)
    return victims


def _latency_victims(routing: Routing, served: tuple[int, ...]) -> list[list[int]]:
    """Evictions that reach the least worst latency: walk the states backwards from the best one."""
    states = latency_states(routing)
    parent, depth = routing.tree.parent.tolist(), routing.tree.depth
    last = states(served)
    worst, finish, state = min(
        ((w, f, s) for s, front in last.items() for f, w in front), key=lambda entry: entry[:2]
    )
    steps: list[list[int]] = []
    for i in range(len(served) - 1, -1, -1):
        t = served[i]
        path = frozenset(routing.tree.path(int(routing.trace.requests[t])))
        found = None
        for before, front in states(served[:i]).items():
            if state not in shrunk(before | path, path, routing.capacity, parent):
                continue
            paid = routing.fixed[t] + sum(routing.hit[u] if u in before else routing.miss[u] for u in path)
            for f, w in front:
                done = max(f, routing.release[t]) + paid
                if done <= finish and max(w, done - routing.release[t]) <= worst:
                    found = (before, f, w)
        if found is None:
            raise VerificationError(f"request {t}: no step leads to the best latency")
        dropped = (found[0] | path) - state
        steps.append(sorted(dropped, key=lambda u: -int(depth[u])))
        state, finish, worst = found
    return steps[::-1]


def _open(value: int, bound: int, gap: float) -> bool:
    return value - bound > gap * value


def _by_ilp(
    routing: Routing, search: RoutingSearch, best: list[int], deadline: float, gap: float
) -> tuple[list[int], int]:
    """PuLP's best routing, and a bound proved by branch and bound on the same program."""
    if routing.objective == "latency":
        raise InputError("worst latency is solved by search only", field="method")
    model = RoutingProgram(routing)
    value = search.value(best)
    root = search.lower_bound([0] * routing.workers, 0)
    proof = Search(model.program, _no_rows, _no_change, model.weight, model.accept(search))
    proof.root(deadline)
    bound = min(value, max(root, proof.program.round_up(proof.bound)))
    left = deadline - time.perf_counter()
    if value - bound > gap * value and left > 0:
        claim = solve_pulp(model.program, time_limit=None if left == inf else left / 2, gap=gap)
        if claim.point is not None:
            found = model.workers_of(claim.point)
            if found is not None and search.value(found) < value:
                best, value = found, search.value(found)
    if value - bound > gap * value and time.perf_counter() < deadline:
        proved = proof.run(value, deadline)
        if proved.point is not None:
            better = model.workers_of(proved.point)
            if better is not None and search.value(better) < value:
                best, value = better, search.value(better)
        bound = min(value, max(bound, proved.bound))
    return best, bound


def _no_rows(_: FloatArray) -> Rows:
    return NO_ROWS


def _no_change(_low: LongArray, _high: LongArray) -> bool:
    return True
