"""The report's three pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context

from gpu_validation.results import Cell
from kvtheory.atomic import atomic_write

Cells = dict[tuple[str, str, str], Cell]


STYLE: dict[Any, Any] = {"svg.hashsalt": "kvtheory", "font.size": 8, "text.parse_math": False}
"""The same bytes for the same run; a dollar in a file's name is a dollar."""


def draw(found: dict[str, Any], table: Cells, folder: Path) -> list[Path]:
    """Write every picture into `folder`; the files."""
    written = []
    with rc_context(STYLE):
        for name, picture in (
            ("ttft", ttft_curves),
            ("hits", hit_rates),
            ("predicted", predicted_against_measured),
        ):
            written.append(folder / f"{name}.svg")
            picture(found, table, written[-1])
    return written


def ttft_curves(found: dict[str, Any], table: Cells, path: Path) -> None:
    """Share of requests with at most that TTFT, one panel a workload; the timed mode where there is one."""
    mode = "timed" if any(key[1] == "timed" for key in table) else "offline"
    figure, panels = _panels(found)
    for axis, workload in zip(panels, found["workloads"], strict=True):
        for (spec, kind, policy), cell in table.items():
            if (spec, kind) == (workload, mode):
                times = np.sort(cell.ttft.ravel()) * 1e3
                axis.step(times, np.arange(1, len(times) + 1) / len(times), label=policy)
        axis.set(title=workload, xlabel=f"TTFT, ms ({mode})", ylabel="share of requests", xscale="log")
        axis.legend()
    _save(figure, path)


def hit_rates(found: dict[str, Any], table: Cells, path: Path) -> None:
    """Hit rate by policy, each round a point."""
    figure, panels = _panels(found)
    for axis, workload in zip(panels, found["workloads"], strict=True):
        names = found["plan"]["names"]
        for shift, mode in ((-0.1, "offline"), (0.1, "timed")):
            points = [
                (names.index(policy) + shift, 100 * rate)
                for (spec, kind, policy), cell in table.items()
                if (spec, kind) == (workload, mode)
                for rate in cell.hit_rates
            ]
            if points:
                axis.plot(*zip(*points, strict=True), "o", label=mode, alpha=0.7)
        axis.set_xticks(range(len(names)), names, rotation=30)
        axis.set(title=workload, ylabel="hit rate, %", ylim=(0, None))
        axis.legend()
    _save(figure, path)


def predicted_against_measured(found: dict[str, Any], table: Cells, path: Path) -> None:
    """Mean TTFT offline, predicted by a cost model that was fitted on the other workloads."""
    from gpu_validation.prediction import predictions

    figure, (axis,) = _figure(1)
    rows, alone = list(predictions(table)), len(found["workloads"]) == 1
    for workload in found["workloads"]:
        here = [row for row in rows if row.workload == workload]
        axis.loglog(
            [row.measured * 1e3 for row in here], [row.predicted * 1e3 for row in here], "o",
            label=f"{workload} (fitted on itself)" if alone else workload,
        )  # fmt: skip
    low, high = axis.get_xlim()
    axis.loglog([low, high], [low, high], color="gray", linewidth=0.8)
    axis.set(xlabel="measured mean TTFT, ms", ylabel="predicted, ms")
    axis.legend(fontsize=7)
    _save(figure, path)


def _panels(found: dict[str, Any]) -> tuple[Any, Any]:
    return _figure(len(found["workloads"]))


def _figure(count: int) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    columns = min(2, count)
    rows = -(-count // columns)
    figure = Figure(figsize=(4.6 * columns, 3.2 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in axes[count:]:
        axis.remove()
    return figure, axes[:count]


def _save(figure: Any, path: Path) -> None:
    with atomic_write(path, "wb") as stream:
        figure.savefig(stream, format="svg", metadata={"Date": None})
