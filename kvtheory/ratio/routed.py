"""Every router with every policy on one trace: makespan against the joint optimum, hits, latencies."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from kvtheory.engine.arrivals import arrival_times
from kvtheory.engine.batching import Batching
from kvtheory.engine.cluster import ClusterRun, MakeRouter, simulate
from kvtheory.engine.incidents import NOTHING, Incidents
from kvtheory.errors import InputError
from kvtheory.model import CostModel, Floats, Number, Trace
from kvtheory.object_policy import AnyPolicy
from kvtheory.offline.makespan_ilp import solve_routing
from kvtheory.offline.routing_bound import makespan_lower_bound
from kvtheory.offline.witness_file import written as exactly
from kvtheory.ratio.empirical import Progress, student_interval
from kvtheory.router import Router

RouterChoice = tuple[str, MakeRouter, type[Router]]
"""As :func:`~kvtheory.registry.select_routers` gives them: label, maker, class."""

LARGEST_SOLVED = 60  # requests of the instances that `--opt` solves; of larger ones it gives a bound
TIMES = ("finish_s", "mean_latency_s", "p95_latency_s", "mean_ttft_s", "p95_ttft_s", "throughput_rps")


@dataclass(frozen=True)
class Cluster:
    """What every run has in common.

    Args:
        workers: how many.
        capacity: nodes that each caches.
        costs: of service.
        unit: what hits and misses are counted in, `nodes` or `tokens`.
        arrivals: see :func:`~kvtheory.engine.arrivals.arrival_times`.
        seconds: whether costs are seconds.
        incidents: what goes wrong.
        warmup: share of the requests that are served but not counted.
        batching: how workers batch; None: one request at a time.
    """

    workers: int
    capacity: int
    costs: CostModel
    unit: str = "nodes"
    arrivals: str = "zero"
    seconds: bool = False
    incidents: Incidents = NOTHING
    warmup: float = 0.0
    batching: Batching | None = None


@dataclass(frozen=True)
class Optimum:
    """The joint optimum of routing and eviction, or what is known of it.

    Attributes:
        makespan: of the best schedule found; None where the instance is too large to be solved.
        lower_bound: no routing with any evictions has a smaller makespan.
    """

    makespan: Number | None
    lower_bound: Number

    @property
    def optimal(self) -> bool:
        """Whether the schedule meets the bound."""
        return self.makespan == self.lower_bound

    @property
    def gap(self) -> float | None:
        """(makespan - bound) / makespan; None where there is no schedule."""
        if self.makespan is None:
            return None
        return float((self.makespan - self.lower_bound) / self.makespan) if self.makespan else 0.0


@dataclass(frozen=True)
class RoutedRun:
    """One router with one policy; numbers are means over seeds where anything draws.

    Attributes:
        ratio: makespan over OPT's; over the lower bound where OPT is not known; None where neither is.
        queueing: mean, p50, p95 and p99 of the time from arrival to the start of service.
        loads: summed service cost of each worker, of the first seed.
        last: the first seed's run, request by request.
    """

    router: str
    policy: str
    hit_rate: float | None
    makespan: Number
    ratio: float | None
    ci95: tuple[float, float] | None
    times: dict[str, float]
    queueing: tuple[float, float, float, float]
    balance: float
    seeds: int
    loads: list[Number]
    last: ClusterRun

    def to_json(self, *, seconds: bool) -> dict[str, Any]:
        """As the command prints it; wall clock only where the unit of time is a second."""
        return {
            "router": self.router,
            "policy": self.policy,
            "hit_rate": self.hit_rate,
            "makespan": written(self.makespan),
            "ratio": self.ratio,
            "ci95": list(self.ci95) if self.ci95 else None,
            **{name: self.times[name] if seconds else None for name in TIMES},
            "queueing_s": list(self.queueing) if seconds else None,
            "balance": self.balance,
            "seeds": self.seeds,
            "loads": [written(load) for load in self.loads],
            "resent": self.last.resent,
        }


@dataclass(frozen=True)
class RouteReport:
    """Everything `kvtheory route` shows."""

    source: str
    requests: int
    cluster: Cluster
    cut_requests: int
    runs: list[RoutedRun]
    opt: Optimum | None

    def to_json(self) -> dict[str, Any]:
        """The command's JSON contract."""
        opt = self.opt
        return {
            "source": self.source,
            "requests": self.requests,
            "workers": self.cluster.workers,
            "capacity": self.cluster.capacity,
            "unit": self.cluster.unit,
            "arrivals": self.cluster.arrivals,
            "warmup": self.cluster.warmup,
            "together": self.cluster.batching.together if self.cluster.batching else 1,
            "cut_requests": self.cut_requests,
            "runs": [run.to_json(seconds=self.cluster.seconds) for run in self.runs],
            "opt": opt
            and {
                "makespan": None if opt.makespan is None else written(opt.makespan),
                "lower_bound": written(opt.lower_bound),
                "gap": opt.gap,
                "optimal": opt.optimal,
            },
        }


def written(value: Number) -> int | float | str:
    """A number as JSON holds it: an int, a fraction as "p/q", or a float."""
    return value if isinstance(value, float) else exactly(value)


def route(
    trace: Trace,
    cluster: Cluster,
    routers: Sequence[RouterChoice],
    policies: Sequence[AnyPolicy],
    *,
    seeds: int = 1,
    opt: bool = False,
    time_limit: float | None = 60.0,
    progress: Progress = lambda stage: None,
) -> RouteReport:
    """Run every router with every policy.

    Args:
        trace: the requests.
        cluster: workers, capacity, costs, arrivals.
        routers: see :func:`~kvtheory.registry.select_routers`.
        policies: who chooses the victims.
        seeds: how many, 0..seeds-1, where the router, the policy or the arrivals draw.
        opt: find the joint optimum of up to 60 requests, of more a lower bound.
        time_limit: seconds for it.
        progress: told what is being run.

    Raises:
        InputError: if there are no requests or seeds, the warm-up is not in [0, 1), or OPT is asked for what
            it is not defined for: floats, an attention term, incidents, a warm-up.
    """
    if not len(trace):
        raise InputError("no requests", file=trace.source)
    if seeds < 1:
        raise InputError(f"{seeds} is not positive", field="seeds")
    if not 0 <= cluster.warmup < 1:
        raise InputError(f"{cluster.warmup} is not in [0, 1)", field="warmup")
    if opt and (cluster.costs.scaled()[1] == 0 or cluster.costs.attention or cluster.costs.context):
        raise InputError("needs exact costs without attention: no preset", field="opt")
    if opt and (cluster.incidents != NOTHING or cluster.warmup):
        raise InputError("knows neither incidents nor a warm-up", field="opt")
    best = None
    if opt:
        progress("opt")
        best = find_optimum(trace, cluster, time_limit)
    runs = []
    for choice, policy in itertools.product(routers, policies):
        progress(f"{choice[0]} with {policy.name}")
        runs.append(_run(trace, cluster, choice, policy, seeds, best))
    return RouteReport(trace.source, len(trace), cluster, runs[0].last.cut_requests, runs, best)


def find_optimum(trace: Trace, cluster: Cluster, time_limit: float | None) -> Optimum:
    """The joint optimum where it can be had in time, else a bound."""
    costs = cluster.costs
    bound = makespan_lower_bound(trace, cluster.workers, cluster.capacity, costs, cluster.unit)
    if len(trace) > LARGEST_SOLVED:
        return Optimum(None, bound)
    solved = solve_routing(
        trace,
        cluster.workers,
        cluster.capacity,
        alpha_cached=_exact(costs.alpha_cached),
        alpha_miss=_exact(costs.alpha_miss),
        output=[_exact(costs.fixed + costs.output + costs.decode * k) for k in trace.answers.tolist()],
        weight=[int(x) for x in trace.tree.tokens] if cluster.unit == "tokens" else None,
        time_limit=time_limit,
    )
    return Optimum(Fraction(solved.value), max(Fraction(solved.lower_bound), bound))


def _exact(value: Number) -> int | Fraction:
    return value if isinstance(value, int) else Fraction(value)


def _run(
    trace: Trace,
    cluster: Cluster,
    choice: RouterChoice,
    policy: AnyPolicy,
    seeds: int,
    opt: Optimum | None,
) -> RoutedRun:
    label, make, router = choice
    draws = router.draws or policy.randomised() or cluster.arrivals.startswith("poisson")
    found = [_simulate(trace, cluster, make, policy, seed) for seed in range(seeds if draws else 1)]
    first = int(cluster.warmup * len(trace))
    seen = [_Seen(run, first) for run in found]
    spans = [one.makespan for one in seen]
    reference = None if opt is None else opt.makespan if opt.optimal else opt.lower_bound
    ratio, interval = None, None
    if reference is not None:
        ratios = [float(span / reference) if reference else 1.0 for span in spans]
        ratio, interval = _mean(ratios), student_interval(ratios) if draws else None
    times = {name: _mean([one.times[name] for one in seen]) for name in TIMES}
    rates = [one.hit_rate for one in seen if one.hit_rate is not None]
    queueing = np.mean([one.queueing for one in seen], axis=0).tolist()
    return RoutedRun(
        label,
        policy.name,
        _mean(rates) if rates else None,
        spans[0] if len(set(spans)) == 1 else _mean([float(span) for span in spans]),
        ratio,
        interval,
        times,
        tuple(queueing),
        _mean([one.balance for one in seen]),
        len(found),
        seen[0].loads,
        found[0],
    )


def _simulate(trace: Trace, cluster: Cluster, make: MakeRouter, policy: AnyPolicy, seed: int) -> ClusterRun:
    return simulate(
        trace,
        cluster.workers,
        cluster.capacity,
        policy,
        make,
        costs=cluster.costs,
        arrivals=arrival_times(trace, cluster.arrivals, seed),
        unit=cluster.unit,
        seconds=cluster.seconds,
        incidents=cluster.incidents,
        batching=cluster.batching,
        seed=seed,
    )


class _Seen:
    """What is counted of one run: the requests from `first` on."""

    def __init__(self, run: ClusterRun, first: int) -> None:
        counted = run.after(first)
        self.loads, self.hit_rate, self.balance = counted.loads, counted.hit_rate, counted.balance
        self.makespan = counted.makespan
        latency, ttft, waited = counted.latency, counted.ttft, counted.queueing
        took = counted.finish_time - float(counted.arrival[0])
        self.times = {
            "finish_s": counted.finish_time,
            "mean_latency_s": float(latency.mean()),
            "p95_latency_s": percentile(latency, 95),
            "mean_ttft_s": float(ttft.mean()),
            "p95_ttft_s": percentile(ttft, 95),
            "throughput_rps": len(latency) / took if took else 0.0,
        }
        p50, p95, p99 = (percentile(waited, q) for q in (50, 95, 99))
        self.queueing = (float(waited.mean()), p50, p95, p99)


def percentile(values: Floats, q: float) -> float:
    """The smallest value that at least q % of the values do not exceed."""
    return float(np.percentile(values, q, method="inverted_cdf"))


def _mean(values: Sequence[float]) -> float:
    return float(sum(values) / len(values))
