"""Cells: what one process computes and one file holds, in parallel and resumable.

A cell is written whole when it is done, named by a hash of everything it depends on, and kept by `resume`.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

from kvtheory.backends import Backend, resolve_address, run_tasks
from kvtheory.errors import InputError, KVTheoryError


class Keyed(Protocol):
    """What one process computes and one file holds."""

    def key(self) -> str:
        """Name of the file: a hash of all that the result depends on."""
        ...


T = TypeVar("T", bound=Keyed)


def finish_cells(
    folder: Path,
    cells: Sequence[T],
    compute: Callable[[T, Path], None],
    *,
    jobs: int,
    resume: bool,
    progress: Callable[[str], None],
    backend: Backend = "local",
    address: str | None = None,
) -> tuple[list[Path], int]:
    """Compute, with joblib, the cells that have no file yet; every cell's file, and how many were computed.

    Args:
        folder: where the files are; made if need be.
        cells: what to compute.
        compute: computes a cell and writes its file, whole or not at all.
        jobs: processes; -1 for all cores.
        resume: keep cells that an earlier run finished.
        progress: told how many cells are done.
        backend: where the cells run.
        address: of a running cluster; None to start one on this machine.

    Raises:
        InputError: if the folder holds files and `resume` was not asked for, there are no jobs, or the
            backend or its cluster cannot be had.
        KVTheoryError: if workers die, or are not set up as this machine is.
    """
    address = resolve_address(backend, jobs, address)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError.of(error, folder.parent) from error
    if not resume and any(folder.iterdir()):
        raise InputError("holds the results of an earlier run: add --resume, or remove it", file=str(folder))
    files = [folder.absolute() / f"{cell.key()}.json" for cell in cells]  # a worker may be elsewhere
    missing = {file: cell for file, cell in zip(files, cells, strict=True) if not _finished(file)}

    def say(count: int) -> None:
        progress(f"{count} of {len(missing)} cells")

    say(0)
    if missing:
        task = compute if backend == "local" else partial(compute_elsewhere, compute)
        arguments = [(cell, file) for file, cell in missing.items()]
        run_tasks(task, arguments, backend=backend, jobs=jobs, address=address, progress=say)
    for file in missing:
        if not _finished(file):
            raise KVTheoryError(f"{file} was computed and is not here: do the workers share this folder?")
    return files, len(missing)


def compute_elsewhere(compute: Callable[[T, Path], None], cell: T, file: Path) -> None:
    """Compute a cell on a machine or in an environment that may not be the one that made the plan.

    Raises:
        KVTheoryError: if the cell means something else here.
    """
    if cell.key() != file.stem:
        raise KVTheoryError(
            f"the worker on {socket.gethostname()} has another version of kvtheory or of a policy, "
            f"or not the same trace file, for {cell}"
        )
    if not _finished(file):  # Dask repeats what a lost worker had done
        compute(cell, file)


def _finished(file: Path) -> bool:
    try:
        return isinstance(json.loads(file.read_text(encoding="utf-8")), dict)
    except (OSError, ValueError):
        return False
