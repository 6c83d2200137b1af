"""The report of routed runs as a table for people."""

from __future__ import annotations

from fractions import Fraction

from rich.console import Console
from rich.table import Table
from rich.text import Text

from kvtheory.model import Number
from kvtheory.ratio.routed import RoutedRun, RouteReport

EXACT = ("router", "policy", "hit rate", "makespan", "ratio", "95 % interval", "balance")
TIMED = (
    "router",
    "policy",
    "hit rate",
    "mean TTFT",
    "p95 TTFT",
    "mean latency",
    "p95",
    "makespan",
    "balance",
)


def print_routes(report: RouteReport, screen: Console) -> None:
    """Print heading, table and notes."""
    cluster, opt = report.cluster, report.opt
    columns = TIMED if cluster.seconds else EXACT
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name, justify="left" if name in ("router", "policy") else "right", no_wrap=True)
    if opt is not None:
        shown = "OPT" if opt.optimal else "lower bound"
        table.add_row(shown, "", "", number(opt.lower_bound), "1", "", "", style="green")
    for run in report.runs:
        table.add_row(*(_timed(run) if cluster.seconds else _exact(run)))
    screen.print(
        Text(
            f"{report.source}: {report.requests:,} requests, {cluster.workers} workers, "
            f"{cluster.capacity:,} blocks each, arrivals {cluster.arrivals}"
        )
    )
    screen.print(table)
    for note in notes(report):
        screen.print(Text(note, style="dim"))


def number(value: Number) -> str:
    """Whole numbers and fractions as they are, floats to four digits."""
    if isinstance(value, Fraction) and value.denominator > 1:
        return str(value)
    return f"{value:,.1f}" if isinstance(value, float) else f"{int(value):,}"


def notes(report: RouteReport) -> list[str]:
    """What a reader of the numbers must know, one sentence each."""
    said = ["makespan: the largest summed service cost of a worker, idle time not counted"]
    if report.cluster.seconds:
        said = ["seconds; " + said[0]]
    opt = report.opt
    if opt is not None and opt.makespan is None:
        said.append("too many requests for the joint optimum: ratios are to a lower bound of it")
    elif opt is not None and not opt.optimal:
        said.append(f"the best schedule found costs {number(opt.makespan or 0)}; ratios are to the bound")
    if report.cut_requests:
        said.append(f"capacity is exceeded by {report.cut_requests:,} of the requests; their rest is missed")
    if report.cluster.warmup:
        said.append(f"counted after {report.cluster.warmup:.0%} of the requests")
    if resent := [run for run in report.runs if run.last.resent]:
        said.append(f"requests sent again after a worker died: {resent[0].last.resent:,} under the first")
    return said


def _rate(value: float | None) -> str:
    return f"{100 * value:.2f} %" if value is not None else "-"


def _exact(run: RoutedRun) -> list[str]:
    ratio = f"{run.ratio:.4f}" if run.ratio is not None else "-"
    interval = f"{run.ci95[0]:.4f} .. {run.ci95[1]:.4f}" if run.ci95 else ""
    return [
        run.router,
        run.policy,
        _rate(run.hit_rate),
        number(run.makespan),
        ratio,
        interval,
        f"{run.balance:.3f}",
    ]


def _timed(run: RoutedRun) -> list[str]:
    times = [run.times[name] for name in ("mean_ttft_s", "p95_ttft_s", "mean_latency_s", "p95_latency_s")]
    shown = [f"{value:.3f}" for value in times]
    return [run.router, run.policy, _rate(run.hit_rate), *shown, number(run.makespan), f"{run.balance:.3f}"]
