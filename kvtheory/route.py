"""`kvtheory route`: read, check, run and report; what runs is in :mod:`kvtheory.ratio.routed`."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from kvtheory.command import (
    LIMIT_REACHED,
    ConflictOption,
    JsonOption,
    SourceArgument,
    Spinner,
    check_outputs,
    write_json,
)
from kvtheory.errors import InputError
from kvtheory.schemas import versioned
from kvtheory.specs import rational

if TYPE_CHECKING:
    from kvtheory.engine.batching import Batching
    from kvtheory.model import CostModel, Trace
    from kvtheory.ratio.routed import Cluster

Unit = Literal["nodes", "tokens"]


def route(
    source: SourceArgument,
    workers: Annotated[int, typer.Option(help="How many workers.")],
    capacity: Annotated[
        str,
        typer.Option(help="Blocks that each caches, a share of the distinct blocks, or kv: the preset's."),
    ],
    routers: Annotated[
        str, typer.Option(help="Routers, or all; options as lbgr:residual=off.")
    ] = "random,round_robin,cache_aware,lbgr",
    policies: Annotated[str, typer.Option(help="Eviction policies, or all.")] = "lru,rlt",
    opt: Annotated[bool, typer.Option("--opt", help="The joint optimum, or a lower bound.")] = False,
    alpha_cached: Annotated[str | None, typer.Option(help="Cost of a cached unit: 0, 0.1, 1/20.")] = None,
    alpha_miss: Annotated[str | None, typer.Option(help="Cost of a missed unit.")] = None,
    output_cost: Annotated[str | None, typer.Option(help="Cost of every answer.")] = None,
    unit: Annotated[Unit | None, typer.Option(help="What hits and misses are counted in.")] = None,
    arrivals: Annotated[
        str, typer.Option(help="zero, trace, trace:SPEED, poisson:RATE; in the unit of time.")
    ] = "zero",
    preset: Annotated[
        str | None, typer.Option(help="Costs in seconds: a model on a GPU, or a file of measured rows.")
    ] = None,
    together: Annotated[
        int, typer.Option(help="Requests that a worker batches; 1: one after the other.")
    ] = 1,
    budget: Annotated[int, typer.Option(help="Tokens of a step, with --together; 0: no limit.")] = 8192,
    step: Annotated[str, typer.Option(help="Cost of a step, with --together.")] = "0",
    incidents: Annotated[str, typer.Option(help="down:1@100-200, slow:2@50-300x2, clock@120+60.")] = "",
    seeds: Annotated[int, typer.Option(help="Seeds 0..S-1 where anything draws.")] = 1,
    warmup: Annotated[float, typer.Option(help="Share of the requests served but not counted.")] = 0.0,
    time_limit: Annotated[float, typer.Option(help="Seconds for --opt.")] = 60.0,
    on_conflict: ConflictOption = "refuse",
    json_file: JsonOption = None,
    plot: Annotated[Path | None, typer.Option(help="Load over time and by worker: svg, png or pdf.")] = None,
) -> int:
    """Makespan, hit rate and latency of every router with every policy, and the joint optimum."""
    from kvtheory.registry import select_policies, select_routers
    from kvtheory.report.curves import check_plot_path
    from kvtheory.sources import open_source

    chosen, victims = select_routers(routers), select_policies(policies)
    costs = _costs(preset, alpha_cached, alpha_miss, output_cost)
    if plot:
        check_plot_path(plot)
    check_outputs(source, plot, json_file)
    with Spinner() as say:
        say("reading")
        trace = open_source(source, on_conflict=on_conflict)
        cluster = _cluster(trace, workers, capacity, costs, unit, arrivals, preset, incidents, warmup)
        cluster = replace(cluster, batching=_batching(together, budget, step, seconds=preset is not None))
        from kvtheory.ratio import routed

        report = routed.route(
            trace, cluster, chosen, victims, seeds=seeds, opt=opt, time_limit=time_limit, progress=say
        )
    if json_file != "-":
        from kvtheory.report.routes import print_routes
        from kvtheory.report.table import console

        print_routes(report, console())
    if json_file:
        write_json(versioned("route", report.to_json()), json_file)
    if plot:
        from kvtheory.report.load_plot import write_load_plot

        write_load_plot(report, plot)
    unsettled = report.opt is not None and report.opt.makespan is not None and not report.opt.optimal
    return LIMIT_REACHED if unsettled else 0


def _costs(
    preset: str | None, alpha_cached: str | None, alpha_miss: str | None, output: str | None
) -> CostModel:
    from kvtheory.engine.presets import costs_of
    from kvtheory.model import CostModel

    given = {"alpha-cached": alpha_cached, "alpha-miss": alpha_miss, "output-cost": output}
    if preset is not None:
        if named := [name for name, value in given.items() if value is not None]:
            raise InputError("a preset has its own costs", field=named[0])
        return costs_of(preset)
    cached, miss, answer = (
        _number(name, value if value is not None else default)
        for (name, value), default in zip(given.items(), ("0", "1", "0"), strict=True)
    )
    if cached > miss:
        raise InputError(f"a hit costs {cached}, more than a miss", field="alpha-cached")
    return CostModel(cached, miss, answer)


def _batching(together: int, budget: int, step: str, *, seconds: bool) -> Batching | None:
    from kvtheory.engine.batching import Batching

    cost = _number("step", step)
    if together == 1:
        if cost:
            raise InputError("workers that serve one request at a time have no steps", field="step")
        return None
    return Batching(together, budget or None, float(cost) if seconds else cost)


def _number(name: str, text: str) -> int | Fraction:
    try:
        value = rational(text)
    except (ValueError, ZeroDivisionError):
        value = Fraction(-1)
    if value < 0:
        raise InputError(f"'{text}' is no cost: 3, 0.25 or 1/4", field=name)
    return value.numerator if value.denominator == 1 else value


def _cluster(
    trace: Trace,
    workers: int,
    capacity: str,
    costs: CostModel,
    unit: Unit | None,
    arrivals: str,
    preset: str | None,
    incidents: str,
    warmup: float,
) -> Cluster:
    from kvtheory.engine.incidents import parse_incidents
    from kvtheory.engine.presets import PRESETS
    from kvtheory.ratio.capacity import parse_capacities
    from kvtheory.ratio.routed import Cluster

    if capacity == "kv":
        if preset not in PRESETS:
            raise InputError("'kv' is the memory that a named preset leaves", field="capacity")
        nodes = [max(1, PRESETS[preset].kv_tokens // trace.block_tokens)]
    else:
        nodes = parse_capacities(capacity, trace.tree.n)
    if len(nodes) != 1:
        raise InputError("one capacity at a time", field="capacity")
    if preset and unit == "nodes":
        raise InputError("a preset's costs are per token", field="unit")
    return Cluster(
        workers,
        nodes[0],
        costs,
        unit or ("tokens" if preset else "nodes"),
        arrivals,
        preset is not None,
        parse_incidents(incidents),
        warmup,
    )
