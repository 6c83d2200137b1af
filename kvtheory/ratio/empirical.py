"""How far each policy is from the optimum on one trace: misses, hit rates, ratios and their intervals."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from kvtheory.engine.kernel import Replay, prepare
from kvtheory.errors import InputError
from kvtheory.model import LongArray, Trace
from kvtheory.object_policy import AnyPolicy
from kvtheory.offline.belady import belady
from kvtheory.policy import Status
from kvtheory.ratio.played import PlayedPolicy
from kvtheory.requestable import RequestableWidth, requestable_widths
from kvtheory.runs import runs_of
from kvtheory.width import Widths, widths

Measure = Literal["nodes", "tokens"]
Progress = Callable[[str], None]
CONFIDENCE = 0.95
TINY = Trace.from_parents([0, 0], [1, 2, 1])


@dataclass(frozen=True)
class PolicyRun:
    """One policy at one capacity; `misses` is a mean over seeds where the policy draws."""

    name: str
    misses: int | float
    hit_rate: float | None
    ratio: float | None
    ci95: tuple[float, float] | None
    bound: float | None
    seeds: int
    seconds: float


@dataclass(frozen=True)
class CapacityRun:
    """OPT and every policy at one capacity."""

    capacity: int
    cut_requests: int
    widths: Widths
    requestable: RequestableWidth
    opt_misses: int
    opt_hit_rate: float | None
    opt_method: str
    opt_seconds: float
    policies: list[PolicyRun]


@dataclass(frozen=True)
class RatioReport:
    """Everything `kvtheory ratio` shows; `counted` and misses are nodes or tokens, as `measure` says."""

    source: str
    requests: int
    accesses: int
    counted: int
    nodes: int
    block_tokens: int
    ceiling_hit_rate: float | None
    warmup: float
    measure: Measure
    bypass: bool
    runs: list[CapacityRun]

    def to_json(self) -> dict[str, Any]:
        """The command's JSON contract."""
        return {
            "source": self.source,
            "requests": self.requests,
            "accesses": self.accesses,
            "nodes": self.nodes,
            "block_tokens": self.block_tokens,
            "ceiling_hit_rate": self.ceiling_hit_rate,
            "warmup": self.warmup,
            "measure": self.measure,
            "bypass": self.bypass,
            "runs": [_run_json(run) for run in self.runs],
        }


def _run_json(run: CapacityRun) -> dict[str, Any]:
    w, r = run.widths, run.requestable
    return {
        "capacity": run.capacity,
        "cut_requests": run.cut_requests,
        "W": w.W if w.W == w.W_lower else [w.W_lower, w.W],
        "W_R": r.low if r.exact else [r.low, r.high],
        "opt": {
            "misses": run.opt_misses,
            "hit_rate": run.opt_hit_rate,
            "method": run.opt_method,
            "seconds": run.opt_seconds,
        },
        "policies": [
            {
                "name": p.name,
                "misses": p.misses,
                "hit_rate": p.hit_rate,
                "ratio": p.ratio,
                "ci95": list(p.ci95) if p.ci95 else None,
                "bound": p.bound,
                "seeds": p.seeds,
                "seconds": p.seconds,
            }
            for p in run.policies
        ],
    }


class Counter:
    """Counts hits and misses, in nodes or tokens, over the requests after the warm-up.

    Args:
        trace: the whole trace, as given; what a cut path does not reach is a miss.
        warmup: share of the requests that are served but not counted, in [0, 1).
        measure: what is counted.
    """

    def __init__(self, trace: Trace, warmup: float, measure: Measure) -> None:
        if not 0 <= warmup < 1:
            raise InputError(f"{warmup} is not in [0, 1)", field="warmup")
        self.first = int(warmup * len(trace))
        tree = trace.tree
        self._above: npt.NDArray[np.int32] | LongArray = (
            tree.depth if measure == "nodes" else tree.path_sums(tree.tokens)
        )
        self.accesses = int(self._above[trace.requests[self.first :]].sum(dtype=np.int64))

    def misses(self, hit: npt.NDArray[np.int32]) -> int:
        """Misses when request t hits down to node `hit[t]`."""
        return self.accesses - int(self._above[hit[self.first :]].sum(dtype=np.int64))

    def hit_rate(self, misses: float) -> float | None:
        """Share of the accesses that are not misses; None where there are no accesses."""
        return (self.accesses - misses) / self.accesses if self.accesses else None


def measure_ratios(
    trace: Trace,
    capacities: list[int],
    policies: Sequence[AnyPolicy | PlayedPolicy],
    *,
    seeds: int = 1,
    warmup: float = 0.0,
    measure: Measure = "nodes",
    bypass: bool = False,
    progress: Progress = lambda stage: None,
) -> RatioReport:
    """Replay a trace under every policy and under Belady, at every capacity.

    Args:
        trace: the requests; paths longer than a capacity are cut there.
        capacities: nodes the cache holds.
        policies: what to compare; emitted ones are for one tree and capacity.
        seeds: how many seeds, 0..seeds-1, a randomised policy is run with.
        warmup: share of the requests that are served but not counted. OPT then still plans for the whole
            trace, so a policy may beat it in the window that is counted, and no bound applies.
        measure: count nodes or tokens. OPT minimises nodes.
        bypass: let OPT drop nodes of the path it has just served.
        progress: told what is being replayed.

    Raises:
        InputError: if there are no requests, no seeds, the warm-up is not in [0, 1), or an emitted policy
            is for another tree or capacity.
    """
    if not len(trace):
        raise InputError("no requests", file=trace.source)
    for capacity, policy in itertools.product(capacities, policies):
        if isinstance(policy, PlayedPolicy):
            policy.require_capacity(capacity)
    if seeds < 1:
        raise InputError(f"{seeds} is not positive", field="seeds")
    counter = Counter(trace, warmup, measure)
    unlimited = max(trace.tree.n, 1)
    progress("widths and ceiling")
    ceiling = counter.hit_rate(counter.misses(belady(trace, unlimited).hit))
    runs = []
    both = zip(widths(trace.tree, capacities), requestable_widths(trace, capacities), strict=True)
    for capacity, (width, own) in zip(capacities, both, strict=True):
        served, cut_requests = trace.cut(capacity)
        runs_of(served)
        progress(f"capacity {capacity}: opt")
        belady(TINY, 1, bypass=bypass)
        start = time.perf_counter()
        schedule = belady(served, capacity, bypass=bypass)
        seconds = time.perf_counter() - start
        opt = counter.misses(schedule.hit)
        bounded = not (warmup or bypass or measure != "nodes")
        measured = []
        for policy in policies:
            progress(f"capacity {capacity}: {policy.name}")
            bound = proved_bound(policy, width) if bounded else None
            measured.append(_measure(served, capacity, policy, counter, seeds, opt, bound))
        method = "belady with bypass" if bypass else "belady"
        opt_rate = counter.hit_rate(opt)
        runs.append(CapacityRun(capacity, cut_requests, width, own, opt, opt_rate, method, seconds, measured))
    return RatioReport(
        trace.source,
        len(trace),
        trace.accesses,
        counter.accesses,
        trace.tree.n,
        trace.block_tokens,
        ceiling,
        warmup,
        measure,
        bypass,
        runs,
    )


def proved_bound(policy: AnyPolicy | PlayedPolicy, width: Widths) -> float | None:
    """The smallest proved bound on the policy's competitive ratio; None where there is none."""
    if isinstance(policy, PlayedPolicy):
        return float(policy.ratio)
    bounds = [claim.value(width) for claim in policy.claims if claim.status is Status.PROVED]
    return float(min(bounds)) if bounds else None


def _measure(
    served: Trace,
    capacity: int,
    policy: AnyPolicy | PlayedPolicy,
    counter: Counter,
    seeds: int,
    opt: int,
    bound: float | None,
) -> PolicyRun:
    randomised = isinstance(policy, PlayedPolicy) or policy.randomised()
    count = seeds if randomised else 1
    if isinstance(policy, PlayedPolicy):
        policy.prepare(replace(served, requests=served.requests[:1], columns={}), capacity, 0)()
    else:
        prepare(TINY, 1, policy)()
    misses, seconds = [], 0.0
    for seed in range(count):
        if isinstance(policy, PlayedPolicy):
            replay = policy.prepare(served, capacity, seed)
        else:
            replay = prepare(served, capacity, policy, seed)
        start = time.perf_counter()
        result: Replay = replay()
        seconds += time.perf_counter() - start
        misses.append(counter.misses(result.hit))
    mean = misses[0] if not randomised else sum(misses) / count
    ratio, interval = ratio_interval(misses, opt, randomised=randomised)
    rate = counter.hit_rate(mean)
    return PolicyRun(policy.name, mean, rate, ratio, interval, bound, count, seconds / count)


def ratio_interval(
    misses: list[int], opt: int, *, randomised: bool
) -> tuple[float | None, tuple[float, float] | None]:
    """Mean ratio to OPT and, for a randomised policy with two seeds or more, Student's t interval (95 %).

    The ratio is 1 where neither misses anything, and None where only OPT misses nothing.
    """
    mean = sum(misses) / len(misses)
    if opt == 0:
        return (1.0 if mean == 0 else None), None
    if not randomised or len(misses) < 2:
        return mean / opt, None
    return mean / opt, student_interval([m / opt for m in misses])


def student_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Student's t interval (95 %) of a mean; None of fewer than two values."""
    from scipy.special import stdtrit

    if len(values) < 2:
        return None
    mean = sum(values) / len(values)
    spread = float(np.std(np.array(values, dtype=np.float64), ddof=1)) / len(values) ** 0.5
    half = float(stdtrit(len(values) - 1, (1 + CONFIDENCE) / 2)) * spread
    return mean - half, mean + half
