"""From a run's JSON to a page: tables, verdicts, plots. reStructuredText, so that docs can include it."""

from __future__ import annotations

from collections.abc import Iterator
from math import fsum
from pathlib import Path
from typing import Any

import numpy as np

from gpu_validation.bootstrap import Interval, difference_of_means
from gpu_validation.lines import CPU_RUN, heading, plain, table_head, table_row, version_line
from gpu_validation.prediction import NEAR, predictions
from gpu_validation.results import Cell, cells
from gpu_validation.routed_report import routed_page
from gpu_validation.schema import ROUTED
from kvtheory.atomic import atomic_write
from kvtheory.errors import InputError

BASE = "lru"
Cells = dict[tuple[str, str, str], Cell]


def write_report(found: dict[str, Any], folder: Path) -> list[Path]:
    """Write `report.rst` and its plots into `folder`; the files.

    Raises:
        InputError: if there are plots to draw and no matplotlib or scipy; nothing is written.
    """
    if found["schema"] == ROUTED:
        folder.mkdir(parents=True, exist_ok=True)
        plots, lines = [], routed_page(found)
    else:
        try:
            import scipy.optimize  # noqa: F401

            from gpu_validation.plots import draw
        except ImportError as error:
            raise InputError(f"no fit, no plots ({error}): pip install matplotlib scipy") from error
        folder.mkdir(parents=True, exist_ok=True)
        table = cells(found)
        plots = draw(found, table, folder)
        lines = _page(found, table, [plot.name for plot in plots])
    text = "\n".join(lines)
    page = folder / "report.rst"
    with atomic_write(page, "w") as stream:
        stream.write(text + "\n")
    return [page, *plots]


def _page(found: dict[str, Any], table: Cells, plots: list[str]) -> Iterator[str]:
    device, versions, plan = found["device"], found["versions"], found["plan"]
    title = f"{plain(plan['model'])} on {plain(device['name'])} ({device['kind']})"
    yield from (title, "=" * len(title), "")
    yield version_line(versions)
    yield (
        "Served by ``AsyncLLM``, its core in a process of its own; TTFT to the first streamed token."
        if found["engine"] == "AsyncLLM"
        else "Served by ``LLM``, its core in the measuring process; TTFT to the end of a step."
    )
    if device["kind"] != "CUDA":
        yield CPU_RUN
    yield (
        f"{plan['blocks']} blocks of {plan['block']} tokens, so {found['capacity']} nodes; "
        f"{plan['repeats']} rounds, the first {plan['warmup']:.0%} of the requests of a round not counted."
    )
    yield ""
    yield from _results(table)
    yield from _same(table)
    yield from _verdicts(table)
    yield from _prediction(table)
    for plot in plots:
        yield from ("", f".. image:: {plot}")


def _results(table: Cells) -> Iterator[str]:
    yield from heading("Hit rate and time to first token")
    yield from table_head("workload", "mode", "policy", "hit rate", "mean TTFT, ms", "p50", "p95")
    for (workload, mode, policy), cell in table.items():
        p50, p95 = np.quantile(cell.ttft, [0.5, 0.95]) * 1e3
        rates = cell.hit_rates
        spread = f" ({rates.min():.1%} to {rates.max():.1%})" if rates.min() < rates.max() else ""
        yield from table_row(
            f"``{workload}``", mode, plain(policy), f"{rates.mean():.1%}{spread}",
            f"{cell.ttft.mean() * 1e3:.1f}", f"{p50:.1f}", f"{p95:.1f}",
        )  # fmt: skip
    yield ""


def _same(table: Cells) -> Iterator[str]:
    yield from heading("The simulator against the engine")
    offline = [cell.same for (_, mode, _), cell in table.items() if mode == "offline"]
    equal, total = (sum(column) for column in zip(*offline, strict=True))
    yield f"Offline, {equal:,} of {total:,} requests hit exactly the tokens that the simulator predicts."
    yield ""
    timed = [(key, cell) for key, cell in table.items() if key[1] == "timed"]
    if not timed:
        return
    yield "With timed arrivals requests overlap: they pin their paths, and a victim is chosen when its block"
    yield "is wanted. Hit rate, engine less simulator:"
    yield ""
    yield from table_head("workload", "policy", "difference", "requests that differ")
    for (workload, _, policy), cell in timed:
        difference = (cell.cached.sum() - cell.simulated.sum()) / cell.prompt.sum()
        equal, total = cell.same
        yield from table_row(
            f"``{workload}``",
            plain(policy),
            f"{100 * difference:+.2f} points",
            f"{total - equal:,} of {total:,}",
        )
    yield ""


def _verdicts(table: Cells) -> Iterator[str]:
    """Every policy against leaf-LRU; no table where nothing can be compared."""
    names = list(dict.fromkeys(policy for _, _, policy in table))
    if BASE not in names or len(names) < 2:
        return
    yield from heading("Verdicts")
    yield "Difference of means with its 95 % bootstrap interval over requests and rounds; undecided where 0"
    yield "lies inside."
    yield ""
    yield from table_head(
        "claim", "workload", "mode", "hit rate, points", "verdict", "mean TTFT, ms", "verdict"
    )
    for (workload, mode, policy), cell in sorted(table.items(), key=lambda item: names.index(item[0][2])):
        base = table.get((workload, mode, BASE))
        if policy == BASE or base is None:
            continue
        hit, ttft = compare(cell, base)
        yield from table_row(
            f"{plain(policy)} against {BASE}", f"``{workload}``", mode,
            _signed(hit, 100), hit.verdict(larger_is_better=True),
            _signed(ttft, 1e3), ttft.verdict(larger_is_better=False),
        )  # fmt: skip
    yield ""


def compare(new: Cell, old: Cell) -> tuple[Interval, Interval]:
    """Hit rate and mean TTFT of `new` less those of `old`; a request's hits weigh as its share of tokens."""
    weight = new.prompt / new.prompt.mean()
    rates = [cell.cached / cell.prompt * weight for cell in (new, old)]
    return difference_of_means(*rates), difference_of_means(new.ttft, old.ttft)


def _prediction(table: Cells) -> Iterator[str]:
    """Predict each workload by a fit on the others."""
    rows = list(predictions(table))
    names = dict.fromkeys(row.workload for row in rows)
    if len(names) < 2:
        return
    yield from heading("Predicted TTFT")
    yield "A workload's mean TTFT is predicted from the *simulator's* hits, by a cost model that is fitted on"
    yield "the engine's rows of all other workloads and policies; what is predicted was not fitted on. What"
    yield "several rounds served with the same hit counts with the median of its times there, in the fit and"
    yield "in the mean. The last column is the plain mean of the fastest and of the slowest round: how well"
    yield "the machine repeats itself."
    yield ""
    yield from table_head("predicted", "policy", "measured, ms", "predicted, ms", "error", "rounds, ms")
    for row in rows:
        yield from table_row(
            f"``{row.workload}``", plain(row.policy),
            f"{row.measured * 1e3:.1f}", f"{row.predicted * 1e3:.1f}", f"{row.error:+.1%}",
            f"{row.rounds.min() * 1e3:.1f} to {row.rounds.max() * 1e3:.1f}",
        )  # fmt: skip
    yield ""
    yield _near("Workload and policy", [row.error for row in rows])
    whole = [[row for row in rows if row.workload == name] for name in names]
    yield _near(
        "Workloads, the mean over their policies",
        [fsum(row.predicted for row in part) / fsum(row.measured for row in part) - 1 for part in whole],
    )
    yield ""


def _near(what: str, errors: list[float]) -> str:
    within = sum(abs(error) <= NEAR for error in errors)
    largest = max(errors, key=abs)
    return f"{what}: {within} of {len(errors)} within {NEAR:.0%}; the largest error is {largest:+.1%}."


def _signed(interval: Interval, unit: float) -> str:
    return f"{interval.value * unit:+.2f} [{interval.low * unit:+.2f}, {interval.high * unit:+.2f}]"
