"""`kvtheory opt`: one door to every offline solver."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Literal

import numpy as np

from kvtheory.model import Trace
from kvtheory.offline.belady import belady
from kvtheory.offline.brute import brute_schedule
from kvtheory.offline.costs import cut_cost, node_costs, scaled
from kvtheory.offline.result import BOUND, Number, Solution, conclude
from kvtheory.offline.witness import replay_schedule
from kvtheory.offline.witness_file import written

Method = Literal["belady", "flow", "ilp", "brute"]


@dataclass(frozen=True)
class Optimum:
    """A solution of a trace as given: what a cut leaves out is counted.

    Attributes:
        solution: value, bound, status and witness.
        cost: miss cost of each node; None for 1 each.
        cost_name: the cost as it was asked for.
        capacity: nodes the cache holds.
        cut_requests: requests longer than the capacity.
        hit_rate: share of the node accesses that hit; None where there are none.
    """

    solution: Solution
    cost: tuple[Number, ...] | None
    cost_name: str
    capacity: int
    cut_requests: int
    hit_rate: float | None

    def to_json(self) -> dict[str, Any]:
        """The JSON contract of `kvtheory opt`."""
        found = self.solution
        return {
            "capacity": self.capacity,
            "method": found.method,
            "cost": self.cost_name,
            "value": written(found.value),
            "lower_bound": written(found.lower_bound),
            "gap": float(found.gap),
            "status": found.status,
            "optimal": found.optimal,
            "misses": found.misses,
            "hit_rate": self.hit_rate,
            "cut_requests": self.cut_requests,
            "seconds": found.seconds,
        }


def solve(
    trace: Trace,
    capacity: int,
    method: Method = "belady",
    *,
    cost: str = "unit",
    bypass: bool = False,
    time_limit: float | None = None,
    gap: float = 0.0,
) -> Optimum:
    """Serve a trace at least cost.

    Args:
        trace: the requests; paths longer than the capacity are cut.
        capacity: nodes the cache holds.
        method: `belady` (exact for unit costs), `flow` (exact where costs do not grow with depth), `ilp`
            (exact for all costs), `brute` (exact, at most 16 nodes).
        cost: miss cost of a node: unit, depth, tokens, or a file of costs.
        bypass: a served path need not stay in the cache.
        time_limit: seconds for `flow` and `ilp`.
        gap: `ilp` may stop when (value - bound) / value is at most this.

    Raises:
        InputError: if the instance is too large for the method, or the costs are wrong.
        VerificationError: if a witness does not replay to its value: a fault of ours.
    """
    from kvtheory.offline.eviction_ilp import check_limits

    check_limits(time_limit, gap)
    served, cut_requests = trace.cut(capacity)
    costs = None if cost == "unit" else node_costs(trace.tree, cost)
    if method == "flow":
        from kvtheory.offline.flow import solve_flow

        found = solve_flow(served, capacity, cost=costs, bypass=bypass, time_limit=time_limit)
    elif method == "ilp":
        from kvtheory.offline.eviction_ilp import solve_ilp

        found = solve_ilp(served, capacity, cost=costs, bypass=bypass, time_limit=time_limit, gap=gap)
    elif method == "brute":
        found = _solve_brute(served, capacity, costs, bypass=bypass)
    else:
        found = _solve_belady(served, capacity, costs, bypass=bypass)
    beyond_cost, beyond = cut_cost(trace, served, costs or node_costs(trace.tree))
    found = replace(
        found,
        value=found.value + beyond_cost,
        lower_bound=found.lower_bound + beyond_cost,
        misses=found.misses + beyond,
        method=method,
    )
    rate = (trace.accesses - found.misses) / trace.accesses if trace.accesses else None
    return Optimum(found, costs, cost, capacity, cut_requests, rate)


def _solve_belady(served: Trace, capacity: int, cost: Sequence[Number] | None, *, bypass: bool) -> Solution:
    """Belady's schedule; with other costs than 1 its bound is what the fewest misses must cost at least."""
    belady(Trace.from_parents([0], [1]), 1)  # compiled kernels are loaded outside the clock
    start = time.perf_counter()
    schedule = belady(served, capacity, bypass=bypass, witness=True)
    seconds = time.perf_counter() - start
    victims = [step.tolist() for step in np.split(schedule.victims, schedule.offsets[1:-1])]
    value, misses = _replayed(served, capacity, victims, cost, bypass=bypass)
    bound: Number = served.accesses - int(served.tree.depth[schedule.hit].sum(dtype=np.int64))
    if cost is not None:
        used = {u for v in set(served.requests.tolist()) for u in served.tree.path(v)}
        first = sum((cost[u] for u in used), start=Fraction(0))
        bound = first + (bound - len(used)) * min((cost[u] for u in used), default=0)
    return conclude(value, bound, misses, victims, method="belady", seconds=seconds, otherwise=BOUND)


def _solve_brute(served: Trace, capacity: int, cost: Sequence[Number] | None, *, bypass: bool) -> Solution:
    start = time.perf_counter()
    factor, (whole,) = scaled(cost) if cost is not None else (1, [None])
    bound, victims = brute_schedule(
        served.tree, served.requests.tolist(), capacity, bypass=bypass, cost=whole
    )
    seconds = time.perf_counter() - start
    value, misses = _replayed(served, capacity, victims, cost, bypass=bypass)
    exact = Fraction(bound, factor)
    return conclude(value, exact, misses, victims, method="brute", seconds=seconds, otherwise=BOUND)


def _replayed(
    served: Trace, capacity: int, victims: list[list[int]], cost: Sequence[Number] | None, *, bypass: bool
) -> tuple[Number, int]:
    """Cost and misses of a schedule, by the independent replayer."""
    parent, requests = served.tree.parent.tolist(), served.requests.tolist()
    seen = replay_schedule(parent, requests, capacity, victims, bypass=bypass, miss_cost=cost)
    return sum(seen.costs, start=Fraction(0)), seen.misses
