"""The study of several engines behind a router: every workload under every router and policy, one JSON."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from gpu_validation.dispatch import Dispatched, dispatch
from gpu_validation.engine import Engine
from gpu_validation.fleet import Engines, places
from gpu_validation.schema import ROUTED, STOCK
from gpu_validation.study import (
    Plan,
    device,
    facts,
    jobs_of,
    rounds,
    served_trace,
    simulated_policy,
    versions,
)
from kvtheory.engine.cluster import simulate
from kvtheory.errors import InputError
from kvtheory.model import CostModel, Floats, PrefixTree, Trace
from kvtheory.registry import parse_router
from kvtheory.rng import worker_seeds
from kvtheory.router import Router, View
from kvtheory.routers.round_robin import RoundRobin

HEAT = 30
"""Requests served under each policy and by each router before anything is measured."""
OFFLINE = CostModel(fixed=1)
"""In tokens. No request is free, so that none is done before the last has been sent."""


@dataclass(frozen=True)
class RoutedPlan(Plan):
    """What to measure; `together` is 1, the requests that an engine serves at a time.

    Attributes:
        engines: how many.
        routers: as `kvtheory route` takes them.
    """

    engines: int = 2
    routers: tuple[str, ...] = ("round_robin", "lbgr")

    def check(self) -> None:
        """Raise InputError if it cannot be carried out."""
        super().check()
        if self.engines < 1:
            raise InputError(f"{self.engines} engines: at least one is needed", field="engines")
        if self.together != 1 or self.engine != "in-process":
            raise InputError(
                "engines behind a router are in-process, and serve one request at a time", field="engines"
            )
        labels = [parse_router(spec)[0] for spec in self.routers]
        if twice := [label for label in labels if labels.count(label) > 1]:
            raise InputError(f"'{twice[0]}' is named twice", field="routers")
        for spec in self.routers:
            if parse_router(spec)[2].omniscient:
                raise InputError(f"'{spec}' reads the true caches, which no engine shows", field="routers")


def carry_out(plan: RoutedPlan, folder: Path, say: Callable[[str], None], **options: Any) -> dict[str, Any]:
    """Run the whole plan; the JSON of `run`. Options are more arguments of `vllm.LLM`."""
    plan.check()
    traces = {spec: in_tokens(served_trace(spec, plan), plan.block) for spec in plan.workloads}
    say(f"loading {plan.model}, {plan.engines} times")
    found = device()
    environments, share, one_by_one = places(plan.engines, _gpus() if found["kind"] == "CUDA" else 0)
    if share is not None:
        options = {"gpu_memory_utilization": share, **options}
    starts = [
        partial(
            Engine, plan.model, block=plan.block, blocks=plan.blocks, longest=plan.longest,
            folder=folder / str(engine), **options,
        )
        for engine in range(plan.engines)
    ]  # fmt: skip
    with Engines(starts, environments, one_by_one=one_by_one) as engines:
        runs = list(_runs(plan, engines, traces, say))
        return {
            "schema": ROUTED,
            "title": f"{plan.engines} of {plan.model} behind a router on {found['kind']}",
            "versions": versions(),
            "device": found,
            "places": environments,
            "engine": engines.kind,
            "plan": asdict(plan),
            "command": sys.argv,
            "capacity": engines.capacity,
            "workloads": {spec: facts(trace) for spec, trace in traces.items()},
            "runs": runs,
        }


def in_tokens(trace: Trace, block: int) -> Trace:
    """The same with `block` tokens in each node, and no answers of the trace's own."""
    tokens = np.full(trace.tree.n + 1, block, np.int32)
    tokens[0] = 0
    columns = {name: column for name, column in trace.columns.items() if name != "output_length"}
    return replace(trace, tree=PrefixTree(trace.tree.parent, tokens), columns=columns)


def view_of(trace: Trace, engines: int, capacity: int, costs: CostModel, seconds: bool, seed: int) -> View:
    """What a router sees of the engines, as `simulate` shows it."""
    above = trace.tree.path_sums(trace.tree.tokens)
    return View(trace.tree, engines, capacity, above, costs, 0.001 if seconds else 1.0, seed)


def _runs(
    plan: RoutedPlan, engines: Engines, traces: dict[str, Trace], say: Callable[[str], None]
) -> Iterator[dict[str, Any]]:
    """Every run, as `run` writes it."""
    jobs = {spec: jobs_of(plan, engines.vocabulary, trace) for spec, trace in traces.items()}
    arrivals: dict[str, Floats] = {}
    costs: dict[str, CostModel] = {}
    for spec, trace in traces.items():
        engines.load(jobs[spec])
        for name in plan.names:
            _switch(plan, engines, name, 0)
            _in_turn(plan, engines, _head(trace, HEAT))
        for router in plan.routers:
            view = view_of(trace, plan.engines, engines.capacity, OFFLINE, False, 0)
            dispatch(_head(trace, HEAT), parse_router(router)[1](view), engines)
        _switch(plan, engines, plan.names[0], 0)
        alone = _in_turn(plan, engines, trace)
        costs[spec] = measured_costs(alone)
        if plan.load:
            mean = float(alone.ttft.mean()) / (plan.load * plan.engines)
            arrivals[spec] = np.cumsum(np.random.default_rng(plan.seed).exponential(mean, len(trace)))
    modes = ("offline", "timed") if plan.load else ("offline",)
    for repeat, spec, router, name in rounds(plan, plan.workloads, plan.routers, plan.names):
        engines.load(jobs[spec])
        for mode in modes:
            say(f"round {repeat + 1}, {spec}, {mode}, {router}, {name}")
            run = {"workload": spec, "mode": mode, "router": router, "policy": name, "repeat": repeat}
            times = arrivals[spec] if mode == "timed" else None
            yield run | _run(plan, engines, traces[spec], router, name, repeat, times, costs[spec])


def _run(
    plan: RoutedPlan,
    engines: Engines,
    trace: Trace,
    router: str,
    name: str,
    seed: int,
    arrivals: Floats | None,
    measured: CostModel,
) -> dict[str, Any]:
    costs, timed = (OFFLINE, False) if arrivals is None else (measured, True)
    make = parse_router(router)[1]
    _switch(plan, engines, name, seed)
    chooser: Router = make(view_of(trace, plan.engines, engines.capacity, costs, timed, seed))
    start = time.perf_counter()
    found = dispatch(trace, chooser, engines, arrivals)
    seconds = time.perf_counter() - start
    simulated = simulate(
        trace, plan.engines, engines.capacity, simulated_policy(name), make,
        costs=costs, arrivals=arrivals, unit="tokens", seconds=timed, seed=seed,
    )  # fmt: skip
    return {
        "seconds": seconds,
        "status": engines.status(),
        "requests": [
            [int(prompt), int(cached), round(float(ttft), 7)]
            for prompt, cached, ttft in zip(found.prompt, found.cached, found.ttft, strict=True)
        ],
        "served_by": found.engine.tolist(),
        "simulated_hits": simulated.hit.tolist(),
        "simulated_served_by": simulated.worker.tolist(),
    }


def measured_costs(found: Dispatched) -> CostModel:
    """What the operator knows of service: seconds of a request and of each computed token, not negative."""
    computed = (found.prompt - found.cached).astype(np.float64)
    fixed, slope = np.linalg.lstsq(
        np.stack([np.ones_like(computed), computed], axis=1), found.ttft, rcond=None
    )[0]
    if fixed < 0 or slope <= 0:
        fixed, slope = 0.0, found.ttft.sum() / computed.sum()
    return CostModel(alpha_miss=float(slope), fixed=float(fixed))


def _switch(plan: RoutedPlan, engines: Engines, name: str, seed: int) -> None:
    engines.switch(None if name == STOCK else name, worker_seeds(seed, plan.engines))


def _in_turn(plan: RoutedPlan, engines: Engines, trace: Trace) -> Dispatched:
    """Serve requests in turn at all engines."""
    view = view_of(trace, plan.engines, engines.capacity, OFFLINE, False, 0)
    return dispatch(trace, RoundRobin(view), engines)


def _head(trace: Trace, requests: int) -> Trace:
    columns = {name: column[:requests] for name, column in trace.columns.items()}
    return replace(trace, requests=trace.requests[:requests], columns=columns)


def _gpus() -> int:
    import torch

    return int(torch.cuda.device_count())
