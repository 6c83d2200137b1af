"""One run of the evaluation: workload, router, policy, seed, machine; and one incident, three runs."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from adversaries.evaluation.workloads import PAGE, PAGES, RATE, SLOWED, make_workload
from kvtheory import __version__
from kvtheory.atomic import atomic_write
from kvtheory.engine.arrivals import arrival_times
from kvtheory.engine.cluster import ClusterRun, simulate
from kvtheory.engine.incidents import NOTHING, Incidents, parse_incidents
from kvtheory.engine.presets import PRESETS, costs_of
from kvtheory.model import Trace
from kvtheory.ratio.routed import percentile
from kvtheory.registry import policies, select_routers

Row = dict[str, Any]
WORKERS = 4
L40, H100, H200 = "llama8b_l40", "llama8b_h100", "llama70b_h200"
ROUTERS = ("random", "round_robin", "cache_aware", "lbgr")
POLICIES = ("lru", "rlt")
GSP = ("gsp_random", "gsp_grouped", "gsp_round_robin")
WORKLOADS = (*GSP, "sharegpt", "ultrachat", "loogle", "mooncake")
SEEDS = 5
DIGITS = 7  # kept of what is measured
WINDOW = 10.0  # seconds
INCIDENTS = {
    "none": "",
    "worker 1 dies at 100 s and is back, empty, at 130 s": "down:1@100-130",
    "worker 2 takes twice as long from 100 s to 160 s": "slow:2@100-160x2",
    "the router's clock jumps ahead by 60 s at 100 s": "clock@100+60",
    "the router's clock jumps back by 60 s at 100 s": "clock@100-60",
}


@dataclass(frozen=True)
class Cell:
    """One run.

    Attributes:
        part: `table` (seeds), `closest` (other settings), `pages` or `tuned`.
        workload: its name.
        router: its name.
        policy: its name.
        seed: of the workload, the router and the policy.
        rate: requests a second; of the real trace, how much faster than recorded.
        preset: model and GPU.
        memory: share of the KV memory that the preset leaves.
        page: tokens in a block.
    """

    part: str
    workload: str
    router: str
    policy: str
    seed: int
    rate: float
    preset: str
    memory: float
    page: int

    def key(self) -> str:
        """Name of the cell's file."""
        text = json.dumps([__version__, asdict(self)])
        return hashlib.sha256(text.encode()).hexdigest()[:20]


@dataclass(frozen=True)
class Incident:
    """One router under one incident, three seeds.

    Attributes:
        incident: a key of `INCIDENTS`.
        router: its name.
    """

    incident: str
    router: str

    def key(self) -> str:
        """Name of the cell's file."""
        return hashlib.sha256(json.dumps([__version__, asdict(self)]).encode()).hexdigest()[:20]


def page_of(workload: str) -> int:
    """Tokens in a block."""
    return PAGES.get(workload, PAGE)


def rate_of(workload: str) -> float:
    """The evaluation's rate; of the real trace, its pace."""
    return SLOWED if workload == "mooncake" else RATE


def table_cells(*, trace: bool = True) -> list[Cell]:
    """The evaluation itself: every workload, router and policy, five seeds where anything draws."""
    return [
        Cell("table", name, router, policy, seed, rate_of(name), L40, 1.0, page_of(name))
        for name in WORKLOADS
        if trace or name != "mooncake"
        for router in ROUTERS
        for policy in POLICIES
        for seed in range(SEEDS if name != "mooncake" or router == "random" or policy == "rlt" else 1)
    ]


def closest_cells(*, trace: bool = True) -> list[Cell]:
    """Other rates, less memory and other machines, one seed: the published baselines, and LBGR with RLT."""
    settings = [
        (name, preset, memory, rate)
        for name in WORKLOADS
        if name != "mooncake"
        for preset in (L40, H200)
        for memory in (1.0, 0.5)
        for rate in (RATE, 20.0)
        if (preset, memory, rate) != (L40, 1.0, RATE)  # in the table
    ]
    if trace:
        settings += [("mooncake", L40, 1.0, SLOWED / 2), ("mooncake", H100, 1.0, 2 * SLOWED)]
    return [
        Cell("closest", name, router, policy, 0, rate, preset, memory, page_of(name))
        for name, preset, memory, rate in settings
        for router, policy in (*((router, "lru") for router in ROUTERS[:3]), ("lbgr", "rlt"))
    ]


def page_cells() -> list[Cell]:
    """A quarter of GSP on a quarter of the cache, with pages from the paper's 1 token to 256."""
    return [
        Cell("pages", "gsp_small", router, policy, 0, RATE, L40, 0.25, page)
        for page in (1, 4, 16, 64, 256)
        for router, policy in (("cache_aware", "lru"), ("lbgr", "rlt"))
    ]


def tuned_cells() -> list[Cell]:
    """Cache-aware with a threshold that GSP's matches, exactly half of a prompt, exceed."""
    return [
        Cell("tuned", name, "cache_aware:threshold=0.4", "lru", seed, RATE, L40, 1.0, PAGE)
        for name in GSP
        for seed in range(SEEDS)
    ]


def incident_cells() -> list[Incident]:
    """Every incident, every router."""
    return [Incident(incident, router) for incident in INCIDENTS for router in ROUTERS]


@lru_cache(maxsize=2)
def workload_of(name: str, seed: int, page: int) -> Trace:
    """Kept: cells of one workload follow each other."""
    return make_workload(name, seed, page)


def serve(cell: Cell, trace: Trace, incidents: Incidents = NOTHING) -> ClusterRun:
    """Run a cell on its trace."""
    _, make, _ = select_routers(cell.router)[0]
    pace = cell.rate if cell.workload == "mooncake" else cell.rate / RATE
    return simulate(
        trace,
        WORKERS,
        max(1, int(cell.memory * PRESETS[cell.preset].kv_tokens) // cell.page),
        policies()[cell.policy],
        make,
        costs=costs_of(cell.preset),
        arrivals=arrival_times(trace, f"trace:{pace!r}", cell.seed),
        unit="tokens",
        seconds=True,
        incidents=incidents,
        seed=cell.seed,
    )


def measured(run: ClusterRun) -> Row:
    """What the paper measures; times in seconds, throughput in requests a second."""
    latency, ttft = run.latency, run.ttft
    found = {
        "hit_rate": run.hit_rate or 0.0,
        "mean_latency": float(latency.mean()),
        "p95_latency": percentile(latency, 95),
        "mean_ttft": float(ttft.mean()),
        "p95_ttft": percentile(ttft, 95),
        "throughput": len(latency) / (run.finish_time - float(run.arrival[0])),
        "balance": run.balance,
    }
    return {name: float(f"{value:.{DIGITS}g}") for name, value in found.items()}


def row(cell: Cell | Incident) -> Row:
    """A cell and what it measured."""
    if isinstance(cell, Incident):
        return incident_row(cell)
    trace = workload_of(cell.workload, cell.seed, cell.page)
    return {**asdict(cell), "requests": len(trace), **measured(serve(cell, trace))}


def incident_row(cell: Incident) -> Row:
    """p95 of TTFT of what arrives in each window, all seeds together; how much was sent again."""
    runs = []
    for seed in range(3):
        run = Cell("table", "gsp_random", cell.router, "rlt", seed, RATE, L40, 1.0, PAGE)
        trace = workload_of(run.workload, seed, run.page)
        runs.append(serve(run, trace, parse_incidents(INCIDENTS[cell.incident])))
    arrival, ttft = (np.concatenate([getattr(run, name) for run in runs]) for name in ("arrival", "ttft"))
    window = (arrival // WINDOW).astype(np.int64)
    last = int(min(run.arrival[-1] for run in runs) // WINDOW)  # later windows lack some of the seeds
    p95 = [float(f"{percentile(ttft[window == w], 95):.{DIGITS}g}") for w in range(last)]
    served = sum(int(np.isfinite(run.finish).sum()) for run in runs)
    return {
        **asdict(cell),
        "p95_ttft": p95,
        "requests": arrival.size,
        "served": served,
        "resent": sum(run.resent for run in runs),
    }


def compute_cell(cell: Cell | Incident, file: Path) -> None:
    """Compute one cell and write it."""
    with atomic_write(file) as stream:
        stream.write(json.dumps(row(cell)) + "\n")
