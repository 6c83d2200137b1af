"""Writes the report of the committed CPU study as a page, from its JSON.

python docs/figures/cpu_study.py FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl

from gpu_validation.report import write_report
from gpu_validation.results import read

RUN = Path(__file__).parents[2] / "gpu_validation" / "results" / "cpu" / "run.json"


def main(folder: Path) -> None:
    """The page beside the figures, its pictures among them."""
    mpl.rcParams["svg.hashsalt"] = "kvtheory"
    page, *_ = write_report(read(RUN), folder / "cpu_study")
    text = page.read_text(encoding="utf-8").replace(".. image:: ", ".. image:: figures/cpu_study/")
    page.unlink()
    (folder.parent / "cpu_study.rst").write_text(":orphan:\n\n" + text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
