"""The study: every workload under every policy, orders interleaved, repeats, one JSON."""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from gpu_validation.async_engine import AsyncEngine
from gpu_validation.engine import AnyEngine, Engine, Job, Served
from gpu_validation.prompts import Prompts, abouts, shorten, with_lengths
from gpu_validation.schema import SCHEMA, STOCK
from kvtheory.engine.kernel import replay
from kvtheory.errors import InputError
from kvtheory.model import Trace
from kvtheory.object_policy import AnyPolicy
from kvtheory.registry import every_policy, lookup
from kvtheory.sources import open_source

ENGINES: dict[str, type[AnyEngine]] = {"in-process": Engine, "async": AsyncEngine}


@dataclass(frozen=True)
class Plan:
    """What to measure.

    Attributes:
        model: a shape of `gpu_validation.shapes`, or a folder.
        workloads: sources as `kvtheory ratio` takes them.
        names: policies, or `stock`.
        block, blocks, longest: of the KV cache, and the longest prompt in tokens.
        repeats: rounds of all workloads; each in an order of its own; its number is the policies' seed.
        warmup: share of the requests that is served but not measured.
        requests: most requests of a workload.
        together: requests at a time in the offline mode.
        load: of the timed mode, arrivals times mean service time of the first policy; None for no timed mode.
        output: tokens generated.
        seed: of the arrivals, and of the order of each round.
        engine: one of `ENGINES`.
    """

    model: str
    workloads: tuple[str, ...]
    names: tuple[str, ...]
    block: int
    blocks: int
    longest: int
    repeats: int = 3
    warmup: float = 0.2
    requests: int = 200
    together: int = 1
    load: float | None = 0.7
    output: int = 1
    seed: int = 0
    engine: str = "in-process"

    def check(self) -> None:
        """Raise InputError if it cannot be carried out."""
        for name in self.names:
            if name != STOCK:
                lookup(every_policy(), name, "policy")
        for field, given in (("policies", self.names), ("workload", self.workloads)):
            if twice := [name for name in given if given.count(name) > 1]:
                raise InputError(f"'{twice[0]}' is named twice", field=field)
        if self.engine not in ENGINES:
            raise InputError(f"'{self.engine}' is not one of {', '.join(ENGINES)}", field="engine")
        if self.repeats < 1 or self.requests < 2 or self.together < 1 or self.output < 1:
            raise InputError("repeats, requests, together and output must be positive", field="plan")
        if not 0 <= self.warmup < 1:
            raise InputError(f"{self.warmup} is not a share below 1", field="warmup")
        if self.load is not None and not 0 < self.load < 2:
            raise InputError(f"{self.load} is not between 0 and 2", field="load")


def carry_out(plan: Plan, folder: Path, say: Callable[[str], None], **options: Any) -> dict[str, Any]:
    """Run the whole plan; the JSON of `run`."""
    plan.check()
    traces = {spec: served_trace(spec, plan) for spec in plan.workloads}
    say(f"loading {plan.model}")
    with ENGINES[plan.engine](
        plan.model, block=plan.block, blocks=plan.blocks, longest=plan.longest, folder=folder, **options
    ) as engine:
        runs = list(_runs(plan, engine, traces, say))
        return {
            "schema": SCHEMA,
            "title": f"{plan.model} on {device()['kind']}",
            "versions": versions(),
            "device": device(),
            "engine": type(engine.llm).__name__,
            "plan": asdict(plan),
            "command": sys.argv,
            "capacity": engine.capacity,
            "workloads": {spec: facts(trace) for spec, trace in traces.items()},
            "runs": runs,
        }


def _runs(
    plan: Plan, engine: AnyEngine, traces: dict[str, Trace], say: Callable[[str], None]
) -> Iterator[dict[str, Any]]:
    """Every run, as `run` writes it."""
    jobs = {spec: jobs_of(plan, engine.vocabulary, trace) for spec, trace in traces.items()}
    timed = {}
    for spec, mine in jobs.items():
        _heat(engine, plan, mine)
        if plan.load:
            timed[spec] = _timed(mine, _mean_service(engine, plan, mine), plan)
    for repeat, spec, name in rounds(plan, plan.workloads, plan.names):
        for mode in ("offline", "timed") if timed else ("offline",):
            say(f"round {repeat + 1}, {spec}, {mode}, {name}")
            engine.switch(None if name == STOCK else name, repeat)
            start = time.perf_counter()
            if mode == "offline":
                served = engine.serve(jobs[spec], together=plan.together)
            else:
                served = engine.serve_timed(timed[spec])
            yield {
                "workload": spec,
                "mode": mode,
                "policy": name,
                "repeat": repeat,
                "seconds": time.perf_counter() - start,
                "status": engine.status(),
                "requests": [_row(s) for s in served],
                "simulated_hits": _simulated(engine, traces[spec], name, repeat),
            }


def served_trace(spec: str, plan: Plan) -> Trace:
    """What is served of a workload: its first requests, as deep as the cache and the model allow."""
    deepest = (min(plan.longest - plan.output, plan.block * (plan.blocks - 2)) - 1) // plan.block
    return with_lengths(shorten(open_source(spec), requests=plan.requests, deepest=deepest), plan.block)


def jobs_of(plan: Plan, vocabulary: int, trace: Trace) -> list[Job]:
    """The prompts of a trace, for a model of that vocabulary."""
    prompts = Prompts(plan.block, vocabulary)
    both = enumerate(zip(trace.requests.tolist(), abouts(trace), strict=True))
    return [Job(prompts.tokens(trace.tree, v, i), plan.output, about=about) for i, (v, about) in both]


def _heat(engine: AnyEngine, plan: Plan, jobs: list[Job]) -> None:
    """Serve a few requests under every policy: nothing is compiled for the first time in a measured run."""
    for name in plan.names:
        engine.switch(None if name == STOCK else name)
        engine.serve(jobs[:30])


def _mean_service(engine: AnyEngine, plan: Plan, jobs: list[Job]) -> float:
    name = plan.names[0]
    engine.switch(None if name == STOCK else name)
    return float(np.mean([s.ttft for s in engine.serve(jobs)]))


def _timed(jobs: list[Job], service: float, plan: Plan) -> list[Job]:
    """Poisson arrivals at the planned load."""
    assert plan.load is not None
    gaps = np.random.default_rng(plan.seed).exponential(service / plan.load, len(jobs))
    return [replace(job, arrival=float(at)) for job, at in zip(jobs, np.cumsum(gaps), strict=True)]


def rounds(plan: Plan, *axes: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Round by round, each of them everything: (round, one of each axis), in an order drawn from the seed.

    So a machine that is slow for half a minute meets some of all, not one workload.
    """
    cells = list(product(*axes))
    for repeat in range(plan.repeats):
        for at in np.random.default_rng([plan.seed, repeat]).permutation(len(cells)):
            yield repeat, *cells[at]


def _row(served: Served) -> list[float]:
    """Prompt tokens, cached tokens, TTFT in seconds."""
    return [served.prompt_tokens, served.cached_tokens, round(served.ttft, 7)]


def _simulated(engine: AnyEngine, trace: Trace, name: str, seed: int) -> list[int]:
    """Cached tokens that the simulator predicts for one request at a time."""
    hit = replay(trace, engine.capacity, simulated_policy(name), seed).hit
    return [int(depth) * engine.block for depth in trace.tree.depth[hit]]


def simulated_policy(name: str) -> AnyPolicy:
    """What a name of the plan is in the simulator: stock vLLM evicts as leaf-LRU."""
    return every_policy()["lru" if name == STOCK else name]


def facts(trace: Trace) -> dict[str, Any]:
    """What a workload is, as `run` writes it."""
    return {
        "source": trace.source,
        "requests": len(trace),
        "nodes": trace.tree.n,
        "accesses": trace.accesses,
        "deepest": int(trace.depths.max()),
    }


def device() -> dict[str, Any]:
    """The machine, in words."""
    import torch

    if torch.cuda.is_available():
        found = torch.cuda.get_device_properties(0)
        return {
            "kind": "CUDA",
            "name": found.name,
            "memory_bytes": found.total_memory,
            "cuda": torch.version.cuda,
            "driver": _driver(),
        }
    return {"kind": "CPU", "name": platform.processor() or platform.machine(), "cores": _cores()}


def versions() -> dict[str, str | None]:
    """Of everything that has a say."""
    found: dict[str, str | None] = {"python": platform.python_version()}
    for name in ("kvtheory", "torch", "numpy", "numba"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    import vllm

    found["vllm"] = vllm.__version__
    return found


def _cores() -> int:
    import os

    return len(os.sched_getaffinity(0))


def _driver() -> str | None:
    import subprocess

    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
