"""Hit rate against capacity, with OPT and the infinite-cache ceiling drawn in."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from kvtheory.atomic import atomic_write
from kvtheory.errors import InputError
from kvtheory.ratio.empirical import RatioReport

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ("svg", "png", "pdf")
COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#994455", "#0b5f59")
MARKERS = "osDv^<>Px"


def check_plot_path(path: Path) -> str:
    """The figure format a file name asks for.

    Raises:
        InputError: if it is none of svg, png and pdf.
    """
    extension = path.suffix.lstrip(".").lower()
    if extension not in FORMATS:
        raise InputError(f"'{path.name}' does not end in {', '.join(FORMATS)}", field="plot")
    return extension


def draw(report: RatioReport) -> Figure:
    """The figure: one line per policy, in percent; intervals as error bars."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 4.4), layout="constrained")
    axes = figure.add_subplot()
    runs = sorted(report.runs, key=lambda run: run.capacity)
    capacities = [run.capacity for run in runs]
    if report.ceiling_hit_rate is not None:
        ceiling = 100 * report.ceiling_hit_rate
        axes.axhline(ceiling, color="0.45", linestyle=":", label="infinite cache")
    opt = [100 * (run.opt_hit_rate or 0) for run in runs]
    axes.plot(capacities, opt, color="black", linewidth=2.2, marker="*", markersize=10, label="OPT")
    for i in range(len(runs[0].policies) if runs else 0):
        results = [run.policies[i] for run in runs]
        rates = [100 * (result.hit_rate or 0) for result in results]
        errors = [_half_interval(run.policies[i].ci95, run.opt_misses, report.counted) for run in runs]
        axes.errorbar(
            capacities,
            rates,
            yerr=errors,
            color=COLOURS[i % len(COLOURS)],
            marker=MARKERS[i % len(MARKERS)],
            linestyle=("-", "--")[i % 2],  # two policies often lie on each other
            markersize=5,
            capsize=2,
            label=results[0].name,
        )
    axes.set_xscale("log")
    axes.set_xticks(capacities, [f"{c:,}\n{100 * c / max(report.nodes, 1):.3g} %" for c in capacities])
    axes.minorticks_off()
    axes.set_xlabel("capacity (blocks, share of distinct blocks)")
    axes.set_ylabel(f"hit rate (% of {'tokens' if report.measure == 'tokens' else 'blocks'})")
    axes.set_ylim(bottom=0)
    axes.grid(color="0.9")
    axes.legend(frameon=False, ncols=2, fontsize="small")
    axes.set_title(Path(report.source).name, fontsize="medium", parse_math=False)
    return figure


def _half_interval(ci95: tuple[float, float] | None, opt: int, counted: int) -> float:
    """Half the interval of the ratio, as a hit rate in percent."""
    return 100 * (ci95[1] - ci95[0]) / 2 * opt / counted if ci95 else 0.0


def render(report: RatioReport, extension: str) -> bytes:
    """The figure as a file's bytes; the same report gives the same bytes."""
    return figure_bytes(lambda: draw(report), extension)


def figure_bytes(make: Callable[[], Figure], extension: str) -> bytes:
    """A figure, made under the house's settings, as bytes that are the same each time."""
    import matplotlib as mpl

    buffer = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "kvtheory", "svg.fonttype": "none"}):
        metadata = {"Date": None} if extension == "svg" else None
        make().savefig(buffer, format=extension, dpi=144, metadata=metadata)
    return buffer.getvalue()


def write_plot(report: RatioReport, path: Path) -> None:
    """Write the figure, whole or not at all."""
    content = render(report, check_plot_path(path))
    with atomic_write(path, "wb") as stream:
        stream.write(content)
