"""Two pictures: the evaluation by workload, and what incidents do to each router."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from adversaries.evaluation.cells import INCIDENTS, POLICIES, ROUTERS, WINDOW, WORKLOADS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Row = dict[str, Any]
TINTS = dict(zip(ROUTERS, ("#8a939c", "#ccbb44", "#4477aa", "#d1602c"), strict=True))
NAMES = {"random": "random", "round_robin": "round robin", "cache_aware": "cache-aware", "lbgr": "LBGR"}
PANELS = {
    "hit_rate": "tokens that hit, %",
    "mean_latency": "mean latency, s",
    "p95_ttft": "p95 of TTFT, s",
    "throughput": "throughput, requests/s",
}
SHORT = {name: name.replace("gsp_", "GSP ").replace("_", " ") for name in WORKLOADS}


def draw_table(means: Sequence[Row]) -> Figure:
    """Bars with 95 % intervals: a panel for each metric, a group for each workload."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 9.5), layout="constrained")
    panels = figure.subplots(len(PANELS), 1, sharex=True)
    names = [name for name in WORKLOADS if any(row["workload"] == name for row in means)]
    found = {(row["workload"], row["router"], row["policy"]): row for row in means}
    width = 0.8 / (len(ROUTERS) * len(POLICIES))
    for axes, (metric, label) in zip(panels, PANELS.items(), strict=True):
        scale = 100 if metric == "hit_rate" else 1
        for i, router in enumerate(ROUTERS):
            for j, policy in enumerate(POLICIES):
                mine = [found[name, router, policy] for name in names]
                place = np.arange(len(names)) + (len(POLICIES) * i + j) * width - 0.4
                axes.bar(
                    place,
                    [scale * row[metric] for row in mine],
                    width,
                    yerr=[scale * (row[f"{metric}_ci95"] or 0) for row in mine],
                    align="edge",
                    color=TINTS[router],
                    hatch="////" if policy == "rlt" else None,
                    edgecolor="white",
                    linewidth=0.4,
                    error_kw={"lw": 0.8},
                    label=f"{NAMES[router]}, {'RLT' if policy == 'rlt' else 'leaf-LRU'}",
                )
        axes.set_ylabel(label, fontsize="small")
        if metric in ("mean_latency", "p95_ttft"):
            axes.set_yscale("log")
        axes.grid(axis="y", color="0.92")
        axes.set_axisbelow(True)
    panels[0].legend(frameon=False, fontsize="x-small", ncols=4, loc="upper left")
    panels[0].set_ylim(top=130)
    panels[-1].set_xticks(np.arange(len(names)), [SHORT[name] for name in names])
    return figure


def draw_incidents(rows: Sequence[Row]) -> Figure:
    """p95 of TTFT by time of arrival: a panel for each incident, a line for each router."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 7), layout="constrained")
    shown = [name for name in INCIDENTS if name != "none"]
    panels = figure.subplots(2, 2, sharex=True, sharey=True).reshape(-1)
    for axes, incident in zip(panels, shown, strict=True):
        for row in rows:
            if row["incident"] in (incident, "none"):
                calm = row["incident"] == "none"
                times = (np.arange(len(row["p95_ttft"])) + 0.5) * WINDOW
                axes.plot(
                    times,
                    row["p95_ttft"],
                    color=TINTS[row["router"]],
                    linestyle=":" if calm else "-",
                    linewidth=0.9 if calm else 1.6,
                    label=None if calm else NAMES[row["router"]],
                )
        axes.set_title(incident, fontsize="small")
        axes.set_yscale("log")
        axes.axvline(100, color="0.6", linewidth=0.8)
        axes.grid(color="0.92")
    panels[0].legend(frameon=False, fontsize="x-small")
    figure.supxlabel("time of arrival, s", fontsize="small")
    figure.supylabel("p95 of TTFT in windows of 10 s, s", fontsize="small")
    return figure


def recovery(rows: Sequence[Row]) -> list[Row]:
    """What each incident cost each router: the worst window, and how long until it is as if nothing had been.

    `seconds` is from 100 s to the end of the last window whose p95 of TTFT is more than twice that of the
    same window without the incident, before three in a row that are not; None where there are no three.
    """
    calm = {row["router"]: row["p95_ttft"] for row in rows if row["incident"] == "none"}
    start, found = int(100 / WINDOW), []
    for row in rows:
        if row["incident"] == "none":
            continue
        pairs = list(zip(row["p95_ttft"], calm[row["router"]], strict=True))[start:]
        fine = [mine <= 2 * usual for mine, usual in pairs]
        until = next((i for i in range(len(fine) - 2) if all(fine[i : i + 3])), None)
        found.append(
            {
                "incident": row["incident"],
                "router": row["router"],
                "usual": max(usual for _, usual in pairs),
                "worst": max(mine for mine, _ in pairs),
                "seconds": None if until is None else until * WINDOW,
                "resent": row["resent"],
                "served": row["served"],
                "requests": row["requests"],
            }
        )
    return found
