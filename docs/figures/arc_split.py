"""Draws how ARC divides its cache over time: nodes seen once (T1), seen again (T2), and the target of T1.

python docs/figures/arc_split.py FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from kvtheory.engine.objects import replay_object
from kvtheory.model import Trace
from kvtheory.policies.arc import ARC
from kvtheory.sources import generate

CASES = {
    "documents, several questions to each": ("documents:visits=600,seed=1", 0.1),
    "several turns of chat": ("chat:sessions=700,seed=1", 0.05),
    "retrieved chunks": ("rag:requests=3000,seed=1", 0.05),
    "Zipf, and popularity moves": ("drift:requests=6000,seed=1", 0.1),
}


def split(trace: Trace, capacity: int) -> np.ndarray:
    """Nodes in T1 and in T2, and the target of T1, after every request; shape (3, N)."""
    found: list[tuple[float, float, float]] = []
    hit, none = np.empty(len(trace), np.int32), np.empty(0, np.int32)

    def look(mind: ARC) -> None:
        found.append((len(mind.t1), len(mind.t2), mind.p))

    replay_object(trace, capacity, ARC, 0, hit, none, look)
    return np.array(found).T


def main(folder: Path) -> None:
    """One picture, a panel per workload."""
    mpl.rcParams["svg.hashsalt"] = "kvtheory"
    folder.mkdir(parents=True, exist_ok=True)
    figure = Figure(figsize=(10, 5.4), layout="constrained")
    for place, (title, (spec, share)) in enumerate(CASES.items(), start=1):
        whole = generate(spec)
        capacity = max(1, int(share * whole.tree.n))
        trace, _ = whole.cut(capacity)
        recent, frequent, target = split(trace, capacity) / capacity
        axes = figure.add_subplot(2, 2, place)
        time = np.arange(len(trace))
        axes.stackplot(
            time, recent, frequent, colors=("C0", "C1"), labels=("T1, seen once", "T2, seen again")
        )
        axes.plot(time, target, "k", lw=0.9, label="target of T1")
        axes.set_title(title, fontsize="small")
        axes.set_ylim(0, 1.02)
        axes.margins(x=0)
        if place == 1:
            axes.legend(fontsize="x-small", loc="lower right")
    figure.supxlabel("requests", fontsize="small")
    figure.supylabel("share of the cache", fontsize="small")
    figure.savefig(folder / "arc_split.svg", metadata={"Date": None})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
