"""Means over seeds, and the paper's factors beside ours, from the rows of the runs."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from typing import Any

from kvtheory.ratio.empirical import student_interval

Row = dict[str, Any]
METRICS = (
    "hit_rate",
    "mean_latency",
    "p95_latency",
    "mean_ttft",
    "p95_ttft",
    "throughput",
    "balance",
)
HEADLINES = {"hit_rate": 6.92, "mean_latency": 11.96, "mean_ttft": 14.06, "throughput": 1.774}
"""Of the paper, "up to": LBGR with RLT over a baseline; latency and TTFT as baseline over LBGR [Wu2026]_."""

SETTING = ("workload", "rate", "preset", "memory", "page")
OURS = ("lbgr", "rlt")


def means(rows: Sequence[Row]) -> list[Row]:
    """One row for each workload, router and policy: mean over seeds and the 95 % interval of each metric."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in (*SETTING, "router", "policy")), []).append(row)
    found = []
    for key, mine in groups.items():
        made: Row = dict(zip((*SETTING, "router", "policy"), key, strict=True))
        made["seeds"] = len(mine)
        for name in METRICS:
            values = [row[name] for row in mine]
            interval = student_interval(values)
            made[name] = math.fsum(values) / len(values)
            made[f"{name}_ci95"] = (interval[1] - interval[0]) / 2 if interval else None
        found.append(made)
    return found


def as_csv(rows: Sequence[Row]) -> str:
    """Rows with the same keys, six digits."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(rows[0])
    for row in rows:
        written = (f"{v:.6g}" if isinstance(v, float) else "" if v is None else v for v in row.values())
        writer.writerow(written)
    return stream.getvalue()


def factors(rows: Sequence[Row]) -> Iterator[Row]:
    """LBGR with RLT over each baseline with leaf-LRU in the same setting, means of seeds."""
    by_setting: dict[tuple[Any, ...], dict[tuple[str, str], Row]] = {}
    for row in rows:
        key = tuple(row[name] for name in SETTING)
        by_setting.setdefault(key, {})[row["router"], row["policy"]] = row
    for key, runs in by_setting.items():
        if OURS not in runs:
            continue
        ours = runs[OURS]
        for (router, policy), base in runs.items():
            if policy != "lru" or router == OURS[0]:
                continue
            yield {
                **dict(zip(SETTING, key, strict=True)),
                "baseline": router,
                "hit_rate": ours["hit_rate"] / base["hit_rate"],
                "mean_latency": base["mean_latency"] / ours["mean_latency"],
                "mean_ttft": base["mean_ttft"] / ours["mean_ttft"],
                "throughput": ours["throughput"] / base["throughput"],
            }


def distance(row: Row, metrics: Sequence[str] = tuple(HEADLINES)) -> float:
    """How far factors are from the paper's: root of the mean square of the logarithms of the quotients."""
    logs = [math.log(row[name] / HEADLINES[name]) for name in metrics]
    return math.sqrt(math.fsum(x * x for x in logs) / len(logs))


def verdicts(table: Sequence[Row], others: Sequence[Row]) -> Row:
    """The paper's factors beside ours.

    Args:
        table: factors of the evaluation's own setting.
        others: factors of all other settings.

    Returns:
        for each headline the largest factor in the evaluation's own setting, the row anywhere that comes
        closest, and the largest anywhere; `together`: the row that is closest to all four.
    """
    everything = [*table, *others]
    return {
        "headlines": {
            name: {
                "paper": paper,
                "largest": max(table, key=lambda row: float(row[name])),
                "closest": min(everything, key=lambda row: distance(row, [name])),
                "best": max(everything, key=lambda row: float(row[name])),
            }
            for name, paper in HEADLINES.items()
        },
        "together": min(everything, key=distance),
    }
