"""Draws Belady's schedule beside the optimum on the smallest instances where they differ.

python docs/figures/counterexamples.py FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np

from kvtheory.model import Trace
from kvtheory.offline.belady import belady
from kvtheory.offline.eviction_ilp import solve_ilp
from kvtheory.offline.intervals import intervals_of
from kvtheory.offline.rounding import score_schedule
from kvtheory.report.schedules import Drawn, draw_schedules

TWIG = [0, 1, 1, 0]
CASES = {
    "depth": (TWIG, 3, [2, 4, 3, 4, 2], {"cost": [0, 1, 2, 2, 1]}),
    "decreasing": (TWIG, 3, [2, 4, 3, 2, 4], {"cost": [0, 9, 8, 8, 9]}),
    "sizes": ([0, 0, 0], 3, [1, 3, 2, 1, 3], {"cost": [0, 1, 1, 2], "size": [0, 1, 1, 2]}),
    "latency": ([0, 1, 0, 0], 2, [1, 3, 4, 3, 2], {"objective": "latency"}),
    "bypass": ([0, 0], 1, [1, 2, 1], {"bypass": True}),
}


def beladys(trace: Trace, capacity: int, size: list[int] | None) -> list[list[int]]:
    """Victims of Belady without bypass; with sizes, farthest next use until it fits."""
    if size is not None:
        problem = intervals_of(trace, capacity, size, size=size)
        return [list(step) for step in score_schedule(problem, -problem.end.astype(float))]
    plan = belady(trace, capacity, witness=True)
    return [step.tolist() for step in np.split(plan.victims, plan.offsets[1:-1])]


def main(folder: Path) -> None:
    """One picture per case."""
    folder.mkdir(parents=True, exist_ok=True)
    mpl.rcParams["svg.hashsalt"] = "kvtheory"
    for name, (parents, capacity, requests, options) in CASES.items():
        trace = Trace.from_parents(parents, requests)
        best = solve_ilp(trace, capacity, **options)
        size = options.get("size")
        pair = [Drawn("Belady", beladys(trace, capacity, size)), Drawn("optimum", best.victims)]
        rules = {key: options[key] for key in ("size", "bypass") if key in options}
        figure = draw_schedules(trace, capacity, pair, cost=options.get("cost"), **rules)
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
