"""The command line: every command is read, checked, run and reported here, and computed elsewhere."""

from __future__ import annotations

import os
import pickle
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from kvtheory import __version__
from kvtheory.command import (
    LIMIT_REACHED,
    ConflictOption,
    JsonOption,
    SourceArgument,
    Spinner,
    check_outputs,
    print_pairs,
    printable,
    write_json,
)
from kvtheory.errors import InputError, KVTheoryError, LimitError
from kvtheory.route import route
from kvtheory.schemas import versioned

INTERRUPTED = 130

app = typer.Typer(
    name="kvtheory",
    help="How far a KV-cache policy is from optimal, and what the worst input does to it.",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.command()
def ratio(
    source: SourceArgument,
    capacity: Annotated[str, typer.Option(help="Blocks, or a share of the distinct blocks: 2000,10%.")],
    policies: Annotated[
        str, typer.Option(help="Policies, or all: a league; FILE.json: one that exact emitted.")
    ] = "lru,fifo,lfu,random,rlt",
    seeds: Annotated[int, typer.Option(help="Seeds 0..S-1 for randomised policies.")] = 8,
    warmup: Annotated[float, typer.Option(help="Share of the requests served but not counted.")] = 0.0,
    measure: Annotated[Literal["nodes", "tokens"], typer.Option(help="Count blocks or tokens.")] = "nodes",
    bypass: Annotated[bool, typer.Option(help="OPT may drop what it has just served.")] = False,
    on_conflict: ConflictOption = "refuse",
    json_file: JsonOption = None,
    plot: Annotated[Path | None, typer.Option(help="Hit rate against capacity, as svg, png or pdf.")] = None,
    html: Annotated[Path | None, typer.Option(help="One self-contained page with the results.")] = None,
) -> None:
    """Misses, hit rate and ratio to the exact optimum of every policy on a trace."""
    from kvtheory.ratio.capacity import parse_capacities
    from kvtheory.ratio.players import select_players
    from kvtheory.report.curves import check_plot_path
    from kvtheory.sources import open_source

    chosen = select_players(policies)
    parse_capacities(capacity, 100)
    if plot:
        check_plot_path(plot)
    check_outputs(source, plot, html, json_file)
    with Spinner() as say:
        say("reading")
        trace = open_source(source, on_conflict=on_conflict)
        from kvtheory.ratio.empirical import measure_ratios

        report = measure_ratios(
            trace,
            parse_capacities(capacity, trace.tree.n),
            chosen,
            seeds=seeds,
            warmup=warmup,
            measure=measure,
            bypass=bypass,
            progress=say,
        )
    if json_file != "-":
        from kvtheory.report.table import console, print_report

        print_report(report, console(), league=policies.strip() == "all")
    if json_file:
        write_json(versioned("ratio", report.to_json()), json_file)
    if plot:
        from kvtheory.report.curves import write_plot

        write_plot(report, plot)
    if html:
        from kvtheory.report.page import write_page

        write_page(report, html, shlex.join(["kvtheory", *sys.argv[1:]]))


@app.command()
def opt(
    source: SourceArgument,
    capacity: Annotated[str, typer.Option(help="Blocks, or a share of the distinct blocks.")],
    method: Annotated[
        Literal["belady", "flow", "ilp", "brute"], typer.Option(help="How to compute it.")
    ] = "belady",
    cost: Annotated[str, typer.Option(help="Miss cost: unit, depth, tokens, or a file.")] = "unit",
    bypass: Annotated[bool, typer.Option(help="A served path need not stay in the cache.")] = False,
    time_limit: Annotated[float | None, typer.Option(help="Seconds for flow and ilp.")] = None,
    gap: Annotated[float, typer.Option(help="ilp may stop at this relative gap.")] = 0.0,
    witness: Annotated[Path | None, typer.Option(help="Write the schedule, for `verify`.")] = None,
    on_conflict: ConflictOption = "refuse",
    json_file: JsonOption = None,
) -> int:
    """The offline optimum of a trace: value, proved bound, and a schedule anyone can replay."""
    from kvtheory.offline.solve import solve
    from kvtheory.offline.witness_file import write_witness
    from kvtheory.ratio.capacity import parse_capacities
    from kvtheory.sources import open_source

    check_outputs(source, witness, json_file)
    with Spinner() as say:
        say("reading")
        trace = open_source(source, on_conflict=on_conflict)
        capacities = parse_capacities(capacity, trace.tree.n)
        if len(capacities) != 1:
            raise InputError("one capacity at a time", field="capacity")
        say(f"solving by {method}")
        found = solve(trace, capacities[0], method, cost=cost, bypass=bypass, time_limit=time_limit, gap=gap)
    if json_file != "-":
        print_pairs(found.to_json())
    if json_file:
        write_json(versioned("opt", found.to_json()), json_file)
    if witness:
        write_witness(witness, trace, found.capacity, found.solution, bypass=bypass, cost=found.cost)
    return LIMIT_REACHED if found.solution.status == "limit" else 0


app.command()(route)


@app.command()
def exact(
    tree: Annotated[str, typer.Option(help="Parents of nodes 1..n (0,0,1,1), or star:4, path:3, binary:2.")],
    capacity: Annotated[int, typer.Option(help="Nodes the cache holds.")],
    policy: Annotated[str, typer.Option(help="A policy, best-deterministic or best-randomized.")],
    requestable: Annotated[
        str | None, typer.Option(help="Nodes that may be requested: 2,5, terminals, or all.")
    ] = None,
    certificate: Annotated[Path | None, typer.Option(help="Write the proof, for `verify`.")] = None,
    emit_policy: Annotated[
        Path | None, typer.Option(help="Write the algorithm of best-randomized, playable.")
    ] = None,
    budget: Annotated[int | None, typer.Option(help="Most states to explore.")] = None,
    json_file: JsonOption = None,
) -> int:
    """The competitive ratio of a policy over all request sequences on a small tree, with a proof."""
    from kvtheory.ratio.exact import parse_instance, solve_exact

    instance = parse_instance(tree, capacity, requestable)
    check_outputs(None, certificate, emit_policy, json_file)
    if str(emit_policy) == "-":
        raise InputError("is a file, not standard output", field="emit-policy")
    with Spinner() as say:
        say("exploring")
        solved = solve_exact(instance, policy, budget)
        found = solved.result()
        limit = _write_proofs(solved, found.settled, certificate, emit_policy)
    if json_file:
        write_json(versioned("exact", found.to_json()), json_file)
    if json_file != "-":
        print_pairs(found.to_json())
    if limit:
        raise LimitError(limit)
    return 0 if found.settled else LIMIT_REACHED


def _write_proofs(solved: Any, settled: bool, certificate: Path | None, emit_policy: Path | None) -> str:
    """Write what proves a ratio, and say what could not be written; the ratio is known all the same."""
    from kvtheory.ratio.certificate import write_certificate
    from kvtheory.ratio.exact import emitted_policy

    problem = ""
    try:
        if certificate:
            proof = solved.certificate()
            write_certificate(certificate, proof)
            if settled and proof["claim"]["kind"] != "exact":
                problem = f"the certificate proves only a {proof['claim']['kind']} bound"
        if emit_policy:
            write_json(emitted_policy(solved), str(emit_policy))
    except LimitError as error:
        problem = str(error)
    return problem


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="A witness or a certificate, told apart by its schema.")],
) -> None:
    """Check a proof in exact arithmetic; exit code 0 only if everything holds."""
    from kvtheory.verify import verify_file

    print_pairs(verify_file(file))


@app.command(name="policies")
def list_policies() -> None:
    """Every eviction policy, what it promises and what is known of it."""
    from kvtheory.registry import every_policy
    from kvtheory.report.listing import print_policies
    from kvtheory.report.table import console

    print_policies(every_policy(), console())


@app.command(name="routers")
def list_routers() -> None:
    """Every router, what it sees and its options."""
    from kvtheory.registry import routers as known
    from kvtheory.report.listing import print_routers
    from kvtheory.report.table import console

    print_routers(known(), console())


@app.command(name="workloads")
def list_workloads() -> None:
    """Every workload generator and its parameters."""
    from kvtheory.report.listing import print_workloads
    from kvtheory.report.table import console
    from kvtheory.sources import workloads as known

    print_workloads(known(), console())


@app.command()
def workload(
    spec: Annotated[str, typer.Argument(help="A workload, such as gsp:groups=8,order=grouped.")],
    output: Annotated[str, typer.Option("--output", "-o", help="Trace file (.gz, .zst: compressed).")],
    format_name: Annotated[str, typer.Option("--format", help="The shape of its records.")] = "mooncake",
) -> None:
    """Write a generated workload as a trace file."""
    from kvtheory.registry import lookup
    from kvtheory.sources import generate
    from kvtheory.traces import request_formats, write_trace

    lookup(request_formats(), format_name, "trace format")
    with Spinner() as say:
        say("generating")
        trace = generate(spec)
        say(f"writing {len(trace):,} requests")
        write_trace(trace, output, format_name)


@app.command()
def sweep(
    plan: Annotated[Path, typer.Argument(help="Plan in TOML: sources, capacity, policies, seeds, output.")],
    backend: Annotated[Literal["local", "dask", "ray"], typer.Option(help="Where the cells run.")] = "local",
    address: Annotated[
        str | None,
        typer.Option(help="HOST:PORT of a running Dask or Ray cluster; without it one is started here."),
    ] = None,
    jobs: Annotated[int, typer.Option(help="Processes; -1 for all cores.")] = -1,
    resume: Annotated[bool, typer.Option(help="Keep finished cells of an earlier run.")] = False,
) -> None:
    """Run `ratio` over every (source, capacity) of a plan; each finished cell is kept."""
    from kvtheory.sweep import read_plan, run_sweep

    with Spinner() as say:
        summary = run_sweep(
            read_plan(plan), jobs=jobs, resume=resume, backend=backend, address=address, progress=say
        )
    typer.echo(f"{summary.cells} cells, {summary.computed} computed, {summary.kept} kept: {summary.results}")


@app.command()
def atlas(
    nodes: Annotated[int, typer.Option(help="Nodes of the largest trees.")] = 6,
    policies: Annotated[
        str, typer.Option(help="Policies, best-deterministic, best-randomized, or all.")
    ] = "all",
    budget: Annotated[int | None, typer.Option(help="Most states to explore for one ratio.")] = None,
    certify: Annotated[int, typer.Option(help="Most positions of a certificate to verify.")] = 60_000,
    jobs: Annotated[int, typer.Option(help="Processes; -1 for all cores.")] = -1,
    resume: Annotated[bool, typer.Option(help="Keep finished cells of an earlier run.")] = False,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the files.")] = Path("atlas"),
) -> int:
    """The exact ratio of every policy on every small tree and capacity, as JSON Lines, CSV and a picture."""
    from kvtheory.ratio.atlas import make_atlas, select
    from kvtheory.report.atlas import complete, table, write_atlas

    with Spinner() as say:
        found = make_atlas(
            nodes,
            select(policies),
            output / "cells",
            budget=budget,
            certify=certify,
            jobs=jobs,
            resume=resume,
            progress=say,
        )
        files = write_atlas(found, output)
    for line in table(found.rows):
        typer.echo(line)
    typer.echo(f"{len(found.rows)} instances, {found.computed} cells computed, {found.kept} kept: {files[0]}")
    return 0 if complete(found.rows) else LIMIT_REACHED


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"kvtheory {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True)] = False,
) -> None:
    """Competitive analysis of KV caching."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command; every failure is one line on stderr and an exit code."""
    from kvtheory.registry import plugins

    try:
        for name, command in plugins("kvtheory.commands").items():
            app.command(name=name)(command)
        command = typer.main.get_command(app)
        if not (sys.argv[1:] if arguments is None else arguments):
            arguments = ["--help"]
        code = command.main(args=arguments, prog_name="kvtheory", standalone_mode=False)
        if code == INTERRUPTED:  # typer turns Ctrl-C into this code and says nothing
            raise KeyboardInterrupt
        if sys.stdout is not None:
            sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except KVTheoryError as error:
        return _fail(str(error), error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        return _fail("interrupted", INTERRUPTED)
    except SystemExit as leaving:  # how typer answers Ctrl-C, and a reader that has left
        if leaving.code == INTERRUPTED:
            return _fail("interrupted", INTERRUPTED)
        _discard_stdout()
        return 0
    except BrokenPipeError:
        _discard_stdout()
        return 0
    except (pickle.UnpicklingError, EOFError, SyntaxError) as error:
        from kvtheory._numba import cache_dir

        return _fail(f"a compiled kernel cannot be read ({error}): remove {cache_dir()}", 1)
    except OSError as error:
        _discard_stdout()
        return _fail(f"cannot write or read: {error.strerror or error}", 2)
    except MemoryError:
        return _fail("out of memory", 1)
    except Exception as error:
        if hasattr(error, "format_message"):  # click's usage errors, wherever typer keeps them
            return _fail(error.format_message(), 2)
        raise


def _discard_stdout() -> None:
    """Send what is still buffered nowhere, so that the interpreter does not try to write it when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message: str, code: int) -> int:
    line = " ".join(printable(message).split())
    print(f"kvtheory: {line}", file=sys.stderr)
    return code


def main() -> None:
    """Entry point of the console script."""
    sys.exit(run())


if __name__ == "__main__":
    main()
