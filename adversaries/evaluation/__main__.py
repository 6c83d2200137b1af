"""Makes the committed results: `python -m adversaries.evaluation --output FOLDER`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from adversaries.evaluation import cells as made
from adversaries.evaluation import pictures, tables
from adversaries.evaluation.workloads import CHATS, TRACE, make_workload
from kvtheory.atomic import atomic_write
from kvtheory.cells import finish_cells
from kvtheory.errors import KVTheoryError
from kvtheory.report.curves import figure_bytes

Row = dict[str, Any]


def compute(
    folder: Path, cells: Sequence[made.Cell | made.Incident], jobs: int, say: Any = lambda stage: None
) -> list[Row]:
    """The rows of cells; those with a file in `folder` are read."""
    files, _ = finish_cells(folder, cells, made.compute_cell, jobs=jobs, resume=True, progress=say)
    return [json.loads(file.read_text(encoding="utf-8")) for file in files]


def make(folder: Path, *, jobs: int, trace: bool, say: Any = lambda stage: None) -> list[Path]:
    """Run everything that has no file in `folder/cells` yet; write rows, tables and pictures.

    Raises:
        KVTheoryError: if a file cannot be read or written.
    """
    cells = folder / "cells"
    table = compute(cells, made.table_cells(trace=trace), jobs, say)
    closest = compute(cells, made.closest_cells(trace=trace), jobs, say)
    others = compute(cells, [*made.page_cells(), *made.tuned_cells()], jobs, say)
    incidents = compute(cells, made.incident_cells(), jobs, say)
    return write(folder, table, closest, others, incidents)


def write(
    folder: Path, table: list[Row], closest: list[Row], others: list[Row], incidents: list[Row]
) -> list[Path]:
    """What is committed, from the rows."""
    means = tables.means(table)
    found = tables.verdicts(list(tables.factors(means)), list(tables.factors(closest)))
    texts = {
        "runs.jsonl": "".join(json.dumps(row) + "\n" for row in (*table, *closest, *others)),
        "incidents.json": "[\n" + ",\n".join(json.dumps(row) for row in incidents) + "\n]\n",
        "verdicts.json": json.dumps(found, indent=1) + "\n",
        "table.csv": tables.as_csv(means),
    }
    for name, text in texts.items():
        with atomic_write(folder / name) as stream:
            stream.write(text)
    drawn = {
        "table.svg": lambda: pictures.draw_table(means),
        "incidents.svg": lambda: pictures.draw_incidents(incidents),
    }
    for name, draw in drawn.items():
        with atomic_write(folder / name, "wb") as stream:
            stream.write(figure_bytes(draw, "svg"))
    return [folder / name for name in (*texts, *drawn)]


def measure_file(name: str, file: Path) -> list[Row]:
    """Means over seeds of every router and policy on conversations of one's own, paced and cut as the others.

    Raises:
        KVTheoryError: if the file cannot be read or is not right.
    """
    rows = []
    for cell in made.table_cells(trace=False):
        if cell.workload == name:
            trace = make_workload(name, cell.seed, cell.page, {name: str(file)})
            rows.append({**asdict(cell), **made.measured(made.serve(cell, trace))})
    return tables.means(rows)


def main() -> int:
    """The command line of the evaluation."""
    parser = argparse.ArgumentParser(prog="adversaries.evaluation", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("build/routing"))
    parser.add_argument("--jobs", type=int, default=1)
    for name in CHATS:
        parser.add_argument(f"--{name}", type=Path, help="measure this file of conversations alone; CSV")
    given = parser.parse_args()
    try:
        named = [(name, file) for name in CHATS if (file := getattr(given, name))]
        if named:
            print(tables.as_csv([row for name, file in named for row in measure_file(name, file)]), end="")
            return 0
        files = make(given.output, jobs=given.jobs, trace=TRACE.exists(), say=_say)
    except KVTheoryError as error:
        print(f"adversaries.evaluation: {error}", file=sys.stderr)
        return error.exit_code
    print(*files, sep="\n")
    return 0


def _say(stage: str) -> None:
    if sys.stderr.isatty():
        print(f"\r{stage}", end="", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
