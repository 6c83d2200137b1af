"""What every benchmark hands over: a JSON, and in it under `figures` the few numbers that `make bench` shows.

A figure is a quantity of ours beside the same of a peer, measured in the same run. Its `ratio` says how many
times better ours is, whether more is better (`per_second`) or less.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

from kvtheory.atomic import atomic_write

RESULTS = Path(__file__).parent / "results"
TRACE = Path(__file__).parents[3] / "shared" / "traces" / "mooncake_conversation.jsonl"
Figure = dict[str, Any]


def arguments(doc: str | None, file: str) -> argparse.ArgumentParser:
    """A parser whose `--out` is where the JSON goes; without it, into the committed results."""
    parser = argparse.ArgumentParser(description=(doc or "").partition("\n")[0])
    name = Path(file).stem.removeprefix("bench_") + ".json"
    parser.add_argument("--out", type=Path, default=RESULTS / name, help="where the JSON goes")
    return parser


def trace_file(given: Path) -> Path:
    """The trace, or an end of the program that says that it is needed."""
    if not given.exists():
        sys.exit(f"needs the trace {given.name}")
    return given


def machine() -> str:
    """What measured."""
    return f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def less(quantity: str, unit: str, ours: float, peer: str, theirs: float) -> Figure:
    """A quantity of which less is better: a time, a size."""
    return _figure(quantity, unit, ours, peer, theirs, theirs / ours)


def more(quantity: str, unit: str, ours: float, peer: str, theirs: float) -> Figure:
    """A quantity of which more is better: a speed, what is solved in a given time."""
    return _figure(quantity, unit, ours, peer, theirs, ours / theirs)


def _figure(quantity: str, unit: str, ours: float, peer: str, theirs: float, ratio: float) -> Figure:
    return {
        "quantity": quantity,
        "unit": unit,
        "ours": float(f"{ours:.5g}"),
        "peer": peer,
        "theirs": float(f"{theirs:.5g}"),
        "ratio": float(f"{ratio:.5g}"),
    }


def write(file: Path, content: dict[str, Any]) -> None:
    """The JSON, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(file) as stream:
        json.dump(content, stream, indent=1)
        stream.write("\n")
