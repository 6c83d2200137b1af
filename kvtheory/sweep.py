"""Many ratio runs from one plan, in parallel and resumable.

A plan is a TOML file::

    output = "results"                      # a folder: one JSON file per cell, then results.jsonl
    sources = ["trace.jsonl", "gsp:groups=8,block=64"]
    capacity = "1%,10%"
    policies = "lru,rlt"
    seeds = 8                               # optional, as are warmup, measure, bypass and on_conflict

A cell is one source at one capacity. It is written whole when it is done, named by a hash of everything it
depends on, and kept by `--resume`. The cells hold the times that were taken, `results.jsonl` does not:
its bytes are the same however and wherever the cells were computed.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import tomllib
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from kvtheory import __version__
from kvtheory.atomic import atomic_write
from kvtheory.backends import Backend
from kvtheory.cells import finish_cells
from kvtheory.errors import InputError
from kvtheory.model import Trace
from kvtheory.schemas import versioned

FIELDS: dict[str, type | tuple[type, ...]] = {
    "output": str,
    "sources": list,
    "capacity": str,
    "policies": str,
    "seeds": int,
    "warmup": (int, float),
    "measure": str,
    "bypass": bool,
    "on_conflict": str,
}
CHOICES = {"measure": ("nodes", "tokens"), "on_conflict": ("refuse", "split")}
REQUIRED = ("output", "sources", "capacity", "policies")


@dataclass(frozen=True)
class Cell:
    """One source at one capacity: what one process computes. A relative source starts at `folder`."""

    source: str
    capacity: str
    policies: str
    seeds: int
    warmup: float
    measure: str
    bypass: bool
    on_conflict: str
    folder: str

    def file(self) -> Path | None:
        """The trace file, wherever this process was started; None where the source is a workload."""
        file = Path(self.folder, self.source)
        return file if os.path.isfile(file) else None  # noqa: PTH113

    def key(self) -> str:
        """Name of the cell's file: a hash of the cell, its input, its policies and this version."""
        from kvtheory.registry import select_policies

        file = self.file()
        stamp = [file.stat().st_size, file.stat().st_mtime_ns] if file else []
        sources = [inspect.getsource(policy) for policy in select_policies(self.policies)]
        own = {name: value for name, value in asdict(self).items() if name != "folder"}
        text = json.dumps([__version__, own, stamp, sources], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:20]


@dataclass(frozen=True)
class Plan:
    """A folder for results, and the cells to compute."""

    output: Path
    cells: list[Cell]


@dataclass(frozen=True)
class Summary:
    """What a sweep did."""

    cells: int
    computed: int
    kept: int
    results: Path


def read_plan(file: Path) -> Plan:
    """Read and check a plan; relative paths are relative to the working directory.

    Raises:
        InputError: naming the file, and the field or line that is wrong.
    """
    try:
        plan = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError.of(error, file) from error
    except RecursionError:
        raise InputError("nested too deeply", file=str(file)) from None
    except ValueError as error:  # not TOML, not UTF-8, or an integer of too many digits
        raise InputError(str(error), file=str(file)) from error
    for key, value in plan.items():
        if key not in FIELDS:
            raise InputError(f"unknown; known: {', '.join(FIELDS)}", file=str(file), field=key)
        if not isinstance(value, FIELDS[key]) or (isinstance(value, bool) and FIELDS[key] is not bool):
            raise InputError(f"{value!r} has the wrong type", file=str(file), field=key)
    for key in REQUIRED:
        if not plan.get(key):
            raise InputError("missing", file=str(file), field=key)
    try:
        _check_values(plan)
    except InputError as error:
        raise InputError(str(error), file=str(file)) from error
    common = {
        "policies": plan["policies"],
        "seeds": plan.get("seeds", 8),
        "warmup": float(plan.get("warmup", 0)),
        "measure": plan.get("measure", "nodes"),
        "bypass": plan.get("bypass", False),
        "on_conflict": plan.get("on_conflict", "refuse"),
        "folder": str(Path.cwd()),
    }
    capacities = [part.strip() for part in plan["capacity"].split(",")]
    cells = [Cell(source, capacity, **common) for source in plan["sources"] for capacity in capacities]
    return Plan(Path(plan["output"]), cells)


def _check_values(plan: dict[str, Any]) -> None:
    from kvtheory.ratio.capacity import parse_capacities
    from kvtheory.registry import select_policies

    if not all(isinstance(source, str) and source not in ("", "-") for source in plan["sources"]):
        raise InputError("must be files or workloads", field="sources")
    if "\0" in plan["output"]:
        raise InputError("is no name for a folder", field="output")
    for key, known in CHOICES.items():
        if plan.get(key, known[0]) not in known:
            raise InputError(f"must be {' or '.join(known)}", field=key)
    if plan.get("seeds", 1) < 1:
        raise InputError(f"{plan['seeds']} is not positive", field="seeds")
    if not 0 <= plan.get("warmup", 0) < 1:
        raise InputError(f"{plan['warmup']} is not in [0, 1)", field="warmup")
    select_policies(plan["policies"])
    capacities = parse_capacities(plan["capacity"], 100)
    if len(set(capacities)) < len(capacities):
        raise InputError("names a capacity twice", field="capacity")


def run_sweep(
    plan: Plan,
    *,
    jobs: int = -1,
    resume: bool = False,
    backend: Backend = "local",
    address: str | None = None,
    progress: Callable[[str], None] = lambda stage: None,
) -> Summary:
    """Compute a plan's cells with joblib and gather them into `results.jsonl`, in the plan's order.

    Args:
        plan: what to compute.
        jobs: processes; -1 for all cores.
        resume: keep cells that an earlier run finished.
        backend: where the cells run.
        address: of a running Dask or Ray cluster; None to start one on this machine.
        progress: told how many cells are done.

    Raises:
        InputError: if the folder holds results and `resume` was not asked for, there are no jobs, or the
            backend or its cluster cannot be had.
        KVTheoryError: if workers die, or are not set up as this machine is.
    """
    files, computed = finish_cells(
        plan.output / "cells",
        plan.cells,
        compute_cell,
        jobs=jobs,
        resume=resume,
        backend=backend,
        address=address,
        progress=progress,
    )
    results = plan.output / "results.jsonl"
    with atomic_write(results, "w") as stream:
        stream.writelines(_untimed(file.read_text(encoding="utf-8")) for file in files)
    return Summary(len(files), computed, len(files) - computed, results)


def _untimed(text: str) -> str:
    report = json.loads(text)
    for run in report["runs"]:
        for item in (run["opt"], *run["policies"]):
            del item["seconds"]
    return json.dumps(report) + "\n"


@lru_cache(maxsize=1)
def _open(source: str, on_conflict: Literal["refuse", "split"]) -> Trace:
    from kvtheory.sources import open_source

    return open_source(source, on_conflict=on_conflict)


def compute_cell(cell: Cell, file: Path) -> None:
    """Compute one cell and write it."""
    from kvtheory.ratio.capacity import parse_capacities
    from kvtheory.ratio.empirical import measure_ratios
    from kvtheory.registry import select_policies

    trace = _open(str(cell.file() or cell.source), "split" if cell.on_conflict == "split" else "refuse")
    options: dict[str, Any] = {
        "seeds": cell.seeds,
        "warmup": cell.warmup,
        "measure": cell.measure,
        "bypass": cell.bypass,
    }
    capacities = parse_capacities(cell.capacity, trace.tree.n)
    report = measure_ratios(trace, capacities, select_policies(cell.policies), **options)
    if cell.file():
        report = replace(report, source=cell.source)
    with atomic_write(file, "w") as stream:
        stream.write(json.dumps(versioned("ratio", report.to_json())) + "\n")
