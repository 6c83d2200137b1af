"""Requests in the cluster over time, and the load of each worker, of every routed run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kvtheory.atomic import atomic_write
from kvtheory.engine.cluster import ClusterRun
from kvtheory.ratio.routed import RouteReport
from kvtheory.report.curves import COLOURS, check_plot_path, figure_bytes
from kvtheory.router import Floats

if TYPE_CHECKING:
    from matplotlib.figure import Figure

POINTS = 400


def in_system(run: ClusterRun, worker: int | None = None) -> tuple[Floats, Floats]:
    """Requests that have arrived and are not done, at `POINTS` times; of one worker, or of all."""
    mine = slice(None) if worker is None else run.worker == worker
    times = np.linspace(0.0, run.finish_time, POINTS)
    arrived = np.searchsorted(np.sort(run.arrival[mine]), times, side="right")
    done = np.searchsorted(np.sort(run.finish[mine]), times, side="right")
    return times, (arrived - done).astype(np.float64)


def draw_loads(report: RouteReport) -> Figure:
    """The figure: left, requests in the system over time; right, each worker's share of the mean load."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    width = 0.8 / len(report.runs)
    for i, run in enumerate(report.runs):
        colour, style = COLOURS[i % len(COLOURS)], ("-", "--", ":")[i // len(COLOURS) % 3]
        name = f"{run.router}, {run.policy}"
        left.plot(*in_system(run.last), color=colour, linestyle=style, linewidth=1.2, label=name)
        loads = np.array([float(load) for load in run.loads])
        place = np.arange(loads.size) + i * width - 0.4
        right.bar(place, loads / max(float(loads.mean()), 1e-300), width, align="edge", color=colour)
    left.set_xlabel("time, s" if report.cluster.seconds else "time, units of cost")
    left.set_ylabel("requests in the cluster")
    left.set_ylim(bottom=0)
    left.legend(fontsize=7)
    right.axhline(1.0, color="0.45", linewidth=0.8)
    right.set_xlabel("worker")
    right.set_ylabel("summed service cost / mean")
    return figure


def write_load_plot(report: RouteReport, path: Path) -> None:
    """Write the figure, whole or not at all."""
    content = figure_bytes(lambda: draw_loads(report), check_plot_path(path))
    with atomic_write(path, "wb") as stream:
        stream.write(content)
