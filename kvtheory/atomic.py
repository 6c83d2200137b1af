"""Files that are there whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from kvtheory.errors import InputError

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


@contextmanager
def atomic_write(path: str | Path, mode: str = "w") -> Iterator[IO[Any]]:
    """Write to a temporary file beside `path`, and rename it when the block ends.

    On any exception, KeyboardInterrupt included, the temporary file is removed and what was at `path`
    stays. A symbolic link is followed, an existing file's permissions are kept, and what is not a regular
    file (a pipe, `/dev/null`) is written to directly.

    Args:
        path: the file to write.
        mode: `w` (text, UTF-8) or `wb`.

    Raises:
        InputError: if the place cannot be written to.
    """
    encoding, newline = (None, None) if "b" in mode else ("utf-8", "\n")
    temporary: Path | None = None
    try:
        target = Path(path).resolve()
        direct = target.exists() and not target.is_file()
        if not direct:
            temporary = target.with_name(f".{target.name[:80]}.{secrets.token_hex(6)}.tmp")
        opened = (temporary or target).open(
            mode if direct else mode.replace("w", "x"), encoding=encoding, newline=newline
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise _refusal(path, error) from None
    try:
        with opened as file:
            yield file
        if temporary:
            if target.exists():
                shutil.copymode(target, temporary)
            temporary.replace(target)
    except BaseException as error:
        if temporary:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            raise _refusal(path, error) from None
        raise


def _refusal(path: str | Path, error: Exception) -> InputError:
    name = os.fspath(path)
    reason = (isinstance(error, OSError) and error.strerror) or "not the name of a file"
    return InputError(
        f"cannot be written: {reason[:1].lower()}{reason[1:]}",
        file=name if name.isprintable() else ascii(name),
    )


def require_writable(path: Path) -> None:
    """Say now, not after the work, that a file cannot be written; leaves nothing behind.

    Raises:
        InputError: if it is a folder, or the place cannot be written to.
    """
    if path.is_dir():
        raise InputError("cannot be written: is a folder", file=str(path))
    if path.exists() and not path.is_file():
        return
    try:
        with tempfile.TemporaryFile(dir=path.resolve().parent):
            pass
    except OSError as error:
        raise _refusal(path, error) from None
