"""The page of a run of several engines behind a router."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from gpu_validation.lines import CPU_RUN, heading, plain, table_head, table_row, version_line
from gpu_validation.results import RoutedCell, routed_cells

Cells = dict[tuple[str, str, str, str], RoutedCell]


def routed_page(found: dict[str, Any]) -> Iterator[str]:
    """Lines of reStructuredText."""
    device, plan = found["device"], found["plan"]
    where = f"{plain(device['name'])} ({device['kind']})"
    title = f"{plan['engines']} of {plain(plan['model'])} behind a router on {where}"
    yield from (title, "=" * len(title), "")
    yield version_line(found["versions"])
    yield (
        f"Each engine is vLLM's ``{plain(found['engine'])}`` in a process of its own and serves one request "
        "at a time; TTFT is what the router's process sees."
    )
    if device["kind"] != "CUDA":
        yield CPU_RUN
    yield (
        f"{plan['blocks']} blocks of {plan['block']} tokens in each, so {found['capacity']} nodes; "
        f"{plan['repeats']} rounds, the first {plan['warmup']:.0%} of the requests of a round not counted."
    )
    yield ""
    table = routed_cells(found)
    yield from _results(table)
    yield from _same(table)


def _results(table: Cells) -> Iterator[str]:
    yield from heading("Hit rate and time to first token")
    yield "Offline, TTFT counts from when an engine takes a request up; timed, from its arrival."
    yield "Seconds are from the first request to the last completion, the mean of the rounds."
    yield ""
    yield from table_head(
        "workload", "mode", "router", "policy", "hit rate", "mean TTFT, ms", "p95", "seconds"
    )
    for (workload, mode, router, policy), cell in table.items():
        rates = cell.hit_rates
        spread = f" ({rates.min():.1%} to {rates.max():.1%})" if rates.min() < rates.max() else ""
        yield from table_row(
            f"``{workload}``", mode, plain(router), plain(policy), f"{rates.mean():.1%}{spread}",
            f"{cell.ttft.mean() * 1e3:.1f}", f"{np.quantile(cell.ttft, 0.95) * 1e3:.1f}",
            f"{cell.seconds.mean():.2f}",
        )  # fmt: skip
    yield ""


def _same(table: Cells) -> Iterator[str]:
    yield from heading("The simulated cluster against the engines")
    offline = [cell for (_, mode, _, _), cell in table.items() if mode == "offline"]
    equal, total = (sum(column) for column in zip(*(cell.same for cell in offline), strict=True))
    yield (
        f"Offline, where the router sends everything before it hears of anything, "
        f"{sum(cell.alike for cell in offline):,} of {total:,} requests went to the engine that the "
        f"simulated cluster sends them to, and {equal:,} hit exactly the tokens that it predicts."
    )
    yield ""
    timed = {key: cell for key, cell in table.items() if key[1] == "timed"}
    if not timed:
        return
    yield "With timed arrivals a router hears of completions when they come, and may choose otherwise than in"
    yield "the simulated cluster, whose service times are a straight line through those measured in turn."
    yield ""
    yield from table_head(
        "workload", "router", "policy", "hit rate, engines less simulator", "requests sent elsewhere"
    )
    for (workload, _, router, policy), cell in timed.items():
        difference = (cell.cached.sum() - cell.simulated.sum()) / cell.prompt.sum()
        _, total = cell.same
        yield from table_row(
            f"``{workload}``", plain(router), plain(policy), f"{100 * difference:+.2f} points",
            f"{total - cell.alike:,} of {total:,}",
        )  # fmt: skip
    yield ""
