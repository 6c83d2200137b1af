"""What every command needs: its common options, a spinner, checked outputs, JSON."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from kvtheory.errors import InputError

LIMIT_REACHED = 3

SourceArgument = Annotated[str, typer.Argument(help="Trace file, '-', or a workload such as gsp:groups=8.")]
JsonOption = Annotated[str | None, typer.Option("--json", help="Write JSON to a file; '-' for stdout.")]

Conflict = Literal["refuse", "split"]
ConflictOption = Annotated[
    Conflict, typer.Option("--on-conflict", help="One id, two parents: refuse, or rekey by (parent, id).")
]


def check_outputs(source: str | None, *outputs: Path | str | None) -> None:
    """Refuse, before any work, outputs that cannot be written, or that overwrite each other or the source."""
    from kvtheory.atomic import require_writable

    taken = {os.path.realpath(source)} if source else set()
    for file in outputs:
        if file is None or file == "-":
            continue
        require_writable(Path(file))
        real = os.path.realpath(file)
        if real in taken and not real.startswith("/dev/"):
            raise InputError("is the source, or named twice as an output", file=str(file))
        taken.add(real)


def write_json(value: dict[str, Any], target: str) -> None:
    text = json.dumps(value, allow_nan=False)
    if target == "-":
        typer.echo(text)
        return
    from kvtheory.atomic import atomic_write

    with atomic_write(Path(target), "w") as stream:
        stream.write(text + "\n")


def print_pairs(result: dict[str, Any]) -> None:
    for key, value in result.items():
        typer.echo(printable(f"{key:>12}  {value}"))


def printable(text: str) -> str:
    """What a file says may hold control characters; a terminal never sees them."""
    return "".join(c if c.isprintable() else " " for c in text)


class Spinner:
    """A spinner on stderr, on a terminal only; called with what is being done."""

    def __enter__(self) -> Callable[[str], None]:
        self._status: Any = None
        if not sys.stderr.isatty():
            return lambda stage: None
        from kvtheory.report.table import console

        self._status = console(stderr=True).status("starting")
        self._status.start()
        update: Callable[[str], None] = self._status.update
        return update

    def __exit__(self, *_: object) -> None:
        if self._status:
            self._status.stop()
