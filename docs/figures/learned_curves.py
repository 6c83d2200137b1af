"""Draws docs/_static/learned/curves.jsonl: the best ratio so far against sequences played, five seeds each.

python docs/figures/learned_curves.py FOLDER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

RESULTS = Path(__file__).parents[1] / "_static" / "learned" / "curves.jsonl"
STYLES = {"learned": "C3", "cycles": "C0", "leaves": "C2", "nodes": "0.6"}
COLUMNS = 4


def main(folder: Path) -> None:
    """One picture with a panel per case; one line per seed."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [json.loads(line) for line in RESULTS.read_text(encoding="utf-8").splitlines()]
    cases = list(dict.fromkeys((row["policy"], row["tree"], row["capacity"]) for row in rows))
    mpl.rcParams["svg.hashsalt"] = "kvtheory"
    height = -(-len(cases) // COLUMNS)
    figure = Figure(figsize=(11, 2.6 * height), layout="constrained")
    for place, case in enumerate(cases, start=1):
        axes = figure.add_subplot(height, COLUMNS, place)
        for row in rows:
            if (row["policy"], row["tree"], row["capacity"]) != case:
                continue
            played = [point[0] for point in row["curve"]] + [row["evaluations"]]
            ratio = [alg / opt for _, alg, opt in row["curve"]]
            label = row["method"] if row["seed"] == 0 else None
            axes.step(played, [*ratio, ratio[-1]], STYLES[row["method"]], where="post", lw=0.9, label=label)
        tree = case[1] if ":" in case[1] else "hub and 8 leaves"
        axes.set_title(f"{case[0]}, {tree}, k = {case[2]}", fontsize="small")
        axes.set_xscale("log", base=2)
        if max(alg / opt for row in rows if row["policy"] == case[0] for _, alg, opt in row["curve"]) > 20:
            axes.set_yscale("log")
        axes.grid(color="0.9")
        if place == 1:
            axes.legend(frameon=False, fontsize="x-small")
    figure.supxlabel("sequences played", fontsize="small")
    figure.supylabel("ALG/OPT of the best", fontsize="small")
    figure.savefig(folder / "learned_curves.svg", metadata={"Date": None})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
