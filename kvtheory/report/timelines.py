"""What a routing does, as a picture: workers down, time across, every request a bar of hits and misses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kvtheory.model import CostModel
from kvtheory.report.grid import HIT, MISS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Routed:
    """One routing of a trace.

    Attributes:
        name: whose.
        worker: who serves each request.
        hit: cached nodes of each.
        length: all nodes of each.
    """

    name: str
    worker: Sequence[int]
    hit: Sequence[int]
    length: Sequence[int]


def draw_timelines(
    routings: Sequence[Routed], workers: int, costs: CostModel, labels: Sequence[str]
) -> Figure:
    """One panel per routing, one below the other: a row per worker, its requests one after the other.

    The cached part of a request is blue, the missed part red, each as wide as it costs; what costs nothing
    has no width. A dashed line ends the longest row: the makespan, which stands in the title.

    Args:
        routings: of the same trace.
        workers: rows of each panel.
        costs: of a cached and of a missed node, both small numbers.
        labels: a short name of each request's prompt.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, len(routings) * (0.62 + 0.3 * workers)), layout="constrained")
    panels = figure.subplots(len(routings), 1, sharex=True, squeeze=False)[:, 0]
    for axes, routing in zip(panels, routings, strict=True):
        _panel(axes, routing, workers, costs, labels)
    panels[-1].set_xlabel("service cost")
    return figure


def _panel(axes: Axes, routing: Routed, workers: int, costs: CostModel, labels: Sequence[str]) -> None:
    loads = [0.0] * workers
    for worker, hit, length, label in zip(routing.worker, routing.hit, routing.length, labels, strict=True):
        start = loads[worker]
        for part, colour in ((costs.prefill(hit, 0), HIT), (costs.prefill(0, length - hit), MISS)):
            width = float(part)
            if width:
                axes.barh(worker, width, left=loads[worker], height=0.8, color=colour)
            loads[worker] += width
        if loads[worker] > start:
            axes.barh(worker, loads[worker] - start, left=start, height=0.8, fill=False, edgecolor="white")
            middle = (start + loads[worker]) / 2
            axes.text(middle, worker, label, color="white", ha="center", va="center", fontsize="small")
    axes.axvline(max(loads), color="0.3", linestyle="--", linewidth=1)
    axes.set_ylim(workers - 0.45, -0.55)
    axes.set_yticks(range(workers), [f"worker {j}" for j in range(workers)], fontsize="small")
    axes.set_title(f"{routing.name}: makespan {max(loads):g}", fontsize="medium", loc="left")
    axes.tick_params(axis="y", length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
