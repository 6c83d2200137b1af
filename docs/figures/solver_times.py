"""Draws tests/benchmarks/results/solvers.json: seconds to proven optimality against instance size.

python docs/figures/solver_times.py FOLDER
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

RESULTS = Path(__file__).parents[2] / "tests" / "benchmarks" / "results" / "solvers.json"
PANELS = {
    "unit costs": {
        "ilp-unit": "compact ILP",
        "flow-unit": "flow",
        "textbook-highs-unit": "node x time, HiGHS",
    },
    "cost = depth, random requests": {
        "ilp": "compact ILP",
        "textbook-highs": "node x time, HiGHS",
        "textbook-cpsat": "node x time, CP-SAT",
    },
    "cost = depth, chat sessions": {
        "sessions-ilp": "compact ILP",
        "sessions-textbook-highs": "node x time, HiGHS",
        "sessions-textbook-cpsat": "node x time, CP-SAT",
    },
}
STYLES = ("o-", "s--", "^:")


def medians(rows: list[dict[str, float]]) -> tuple[list[float], list[float]]:
    """Median size and seconds of each step of three seeds that were all proved."""
    steps = [rows[i : i + 3] for i in range(0, len(rows) - 2, 3)]
    done = [step for step in steps if all(row["value"] is not None for row in step)]
    return (
        [statistics.median(row["size"] for row in step) for step in done],
        [statistics.median(row["seconds"] for row in step) for step in done],
    )


def main(folder: Path) -> None:
    """One picture with a panel per family."""
    folder.mkdir(parents=True, exist_ok=True)
    runs = json.loads(RESULTS.read_text(encoding="utf-8"))["runs"]
    mpl.rcParams["svg.hashsalt"] = "kvtheory"
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    first = None
    for i, (title, solvers) in enumerate(PANELS.items()):
        axes = figure.add_subplot(1, len(PANELS), i + 1, sharey=first)
        first = first or axes
        for style, (solver, label) in zip(STYLES, solvers.items(), strict=True):
            size, seconds = medians([row for row in runs if row["solver"] == solver])
            axes.loglog(size, seconds, style, markersize=3, label=label)
        axes.set_title(title, fontsize="medium")
        axes.set_xlabel("requests x nodes")
        axes.grid(color="0.9")
        axes.legend(frameon=False, fontsize="x-small")
    first.set_ylabel("seconds to proof")
    figure.savefig(folder / "solver_times.svg", metadata={"Date": None})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
