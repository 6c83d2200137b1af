"""Every routed run over time and by worker: requests in the cluster, TTFT, loads, hit rates."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kvtheory.atomic import atomic_write
from kvtheory.engine.cluster import ClusterRun
from kvtheory.model import Floats
from kvtheory.ratio.routed import RouteReport, percentile
from kvtheory.report.curves import COLOURS, check_plot_path, figure_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

POINTS = 400
WINDOWS = 40


def in_system(run: ClusterRun) -> tuple[Floats, Floats]:
    """Requests that have arrived and are not done, at `POINTS` times."""
    times = np.linspace(0.0, run.finish_time, POINTS)
    arrived = np.searchsorted(np.sort(run.arrival), times, side="right")
    done = np.searchsorted(np.sort(run.finish), times, side="right")
    return times, (arrived - done).astype(np.float64)


def ttft_over_time(run: ClusterRun, windows: int = WINDOWS) -> tuple[Floats, Floats]:
    """Middle of each window of arrivals, and p95 of the TTFT of what arrived in it, NaN where nothing did.

    Windows are of equal length from the first to the last arrival; if all arrive at once there is one.
    """
    first, last = float(run.arrival.min()), float(run.arrival.max())
    if first == last:
        return np.array([first]), np.array([percentile(run.ttft, 95)])
    edges = np.linspace(first, last, windows + 1)
    place = np.minimum(np.searchsorted(edges, run.arrival, side="right") - 1, windows - 1)
    found = np.full(windows, np.nan)
    for window in np.unique(place):
        found[window] = percentile(run.ttft[place == window], 95)
    return (edges[1:] + edges[:-1]) / 2, found


def hit_rates(run: ClusterRun) -> Floats:
    """Share of the nodes or tokens sent to each worker that were cached there; 0 where none were sent."""
    hit, sent = (np.bincount(run.worker, values, run.workers) for values in (run.hit, run.length))
    rates: Floats = hit / np.maximum(sent, 1)
    return rates


def draw_loads(report: RouteReport) -> Figure:
    """The figure: left, over time, requests in the cluster and TTFT; right, by worker, load and hit rate."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 7.2), layout="constrained")
    (left, right), (lower, rates) = figure.subplots(2, 2, width_ratios=(3, 2), sharex="col")
    width = 0.8 / len(report.runs)
    for i, run in enumerate(report.runs):
        colour, style = COLOURS[i % len(COLOURS)], ("-", "--", ":")[i // len(COLOURS) % 3]
        name = f"{run.router}, {run.policy}"
        left.plot(*in_system(run.last), color=colour, linestyle=style, linewidth=1.2, label=name)
        times, ttft = ttft_over_time(run.last)
        marker = "o" if times.size == 1 else None
        lower.plot(times, ttft, color=colour, linestyle=style, linewidth=1.2, marker=marker)
        loads = np.array([float(load) for load in run.loads])
        place = np.arange(loads.size) + i * width - 0.4
        right.bar(place, loads / max(float(loads.mean()), 1e-300), width, align="edge", color=colour)
        rates.bar(place, 100 * hit_rates(run.last), width, align="edge", color=colour)
    unit = "s" if report.cluster.seconds else "units of cost"
    lower.set_xlabel(f"time, {unit}")
    left.set_ylabel("requests in the cluster")
    left.set_ylim(bottom=0)
    left.legend(fontsize=7)
    lower.set_ylabel(f"p95 of time to first token, {unit}")
    lower.set_ylim(bottom=0)
    right.axhline(1.0, color="0.45", linewidth=0.8)
    right.set_ylabel("summed service cost / mean")
    rates.set_ylabel(f"{report.cluster.unit} that hit, %")
    rates.set_xlabel("worker")
    return figure


def write_load_plot(report: RouteReport, path: Path) -> None:
    """Write the figure, whole or not at all."""
    content = figure_bytes(lambda: draw_loads(report), check_plot_path(path))
    with atomic_write(path, "wb") as stream:
        stream.write(content)
