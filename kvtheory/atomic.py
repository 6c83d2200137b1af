"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from kvtheory.errors import InputError


@contextmanager
def atomic_write(path: Path, mode: str) -> Iterator[IO[Any]]:
    """Open a temporary file beside `path` and rename it there when the block ends well.

    Whatever ends the block early, Ctrl-C included, leaves nothing behind.

    Args:
        path: where the file shall be.
        mode: `w` (UTF-8 text) or `wb`.

    Raises:
        InputError: if the place cannot be written.
    """
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror}", file=str(path)) from error
    temporary = Path(name)
    try:
        with os.fdopen(handle, mode, encoding=None if "b" in mode else "utf-8") as stream:
            yield stream
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror}", file=str(path)) from error
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def require_writable(path: Path) -> None:
    """Raise InputError now if a file cannot be written at `path` later; leaves nothing there."""
    if path.is_dir():
        raise InputError("is a folder", file=str(path))
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror}", file=str(path)) from error
