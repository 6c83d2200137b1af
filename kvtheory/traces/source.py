"""Lines of a file or of standard input, decompressed and decoded a piece at a time.

What a file is follows from its first bytes, never from its name. Members of a gzip file and frames of a
zstd file are read one after the other; an end inside one of them is an error, not the end of the trace.
"""

from __future__ import annotations

import os
import sys
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from kvtheory.errors import InputError

PIECE = 1 << 20
COMPRESSED_PIECE = 1 << 14  # a zstd block of 4 bytes can hold 128 KiB
MAX_LINE = 1 << 28
GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC, ZSTD_SKIPPABLE = b"\x28\xb5\x2f\xfd", b"\x2a\x4d\x18"


class Lines(NamedTuple):
    """Consecutive lines.

    Attributes:
        first: number of the first of them, from 1.
        lines: their text, without the newline.
        unfinished: whether the last of them ends the file without a newline.
    """

    first: int
    lines: list[str]
    unfinished: bool = False


def source_name(path: str | Path) -> str:
    """What reports and errors call a source: its path, `<stdin>` for `-`; always one printable line."""
    name = os.fspath(path)
    if name == "-":
        return "<stdin>"
    return name if name.isprintable() else ascii(name)


def read_lines(path: str | Path, stdin: BinaryIO | None = None) -> Generator[Lines]:
    """All lines of a plain, gzip or zstd file.

    Args:
        path: a file, or `-` for standard input.
        stdin: what to read for `-`; `sys.stdin.buffer` by default.

    Raises:
        InputError: if the file cannot be read or decompressed, ends inside a compressed stream, or holds
            NUL bytes, bytes that are not UTF-8, or a line of more than `MAX_LINE` bytes.
    """
    name = source_name(path)
    try:
        with _opened(path, stdin) as file:
            yield from _decoded(name, _decompressed(name, file))
    except OSError as error:
        raise InputError.of(error, name) from None


def _opened(path: str | Path, stdin: BinaryIO | None) -> AbstractContextManager[BinaryIO]:
    if os.fspath(path) == "-":
        return nullcontext(stdin or sys.stdin.buffer)
    if "\0" in os.fspath(path):
        raise InputError("not the name of a file", file=source_name(path))
    return Path(path).open("rb")


def _pieces(file: BinaryIO, size: int) -> Iterator[bytes]:
    while piece := file.read(size):
        yield piece


def _decompressed(name: str, file: BinaryIO) -> Iterator[bytes]:
    head = b""
    while len(head) < 4 and (more := file.read(4 - len(head))):
        head += more
    if head.startswith(GZIP_MAGIC):
        pieces = chain([head], _pieces(file, COMPRESSED_PIECE))
        return _inflated(name, pieces, lambda: zlib.decompressobj(wbits=31), zlib.error, "gzip")
    if head == ZSTD_MAGIC or (head[1:] == ZSTD_SKIPPABLE and 0x50 <= head[0] <= 0x5F):
        try:
            import zstandard
        except ImportError:
            raise InputError("zstd data: install the package zstandard to read it", file=name) from None
        pieces = chain([head], _pieces(file, COMPRESSED_PIECE))
        decompressor = zstandard.ZstdDecompressor()
        return _inflated(name, pieces, decompressor.decompressobj, zstandard.ZstdError, "zstd")
    return chain([head], _pieces(file, PIECE))


def _inflated(
    name: str, pieces: Iterator[bytes], new: Callable[[], Any], corrupt: type[Exception], kind: str
) -> Iterator[bytes]:
    """Decompress member after member; `new` makes the decompressor of one."""
    stream = None
    for piece in pieces:
        rest = piece
        while rest:
            if stream is None:
                rest = rest.lstrip(b"\0") if kind == "gzip" else rest  # gzip files may be padded
                if not rest:
                    break
                stream = new()
            try:
                yield stream.decompress(rest)
            except corrupt:
                raise InputError(f"corrupt {kind} data", file=name) from None
            rest = stream.unused_data if stream.eof else b""
            stream = None if stream.eof else stream
    if stream is not None:
        raise InputError(f"{kind} data ends early: the file is cut short", file=name)


def _decoded(name: str, pieces: Iterator[bytes]) -> Iterator[Lines]:
    first, size = 1, 0
    pending: list[bytes] = []
    for piece in pieces:
        end = piece.rfind(b"\n") + 1
        pending.append(piece[:end] if end else piece)
        size += len(pending[-1])
        if size > MAX_LINE and not end:
            line = first + sum(part.count(b"\n") for part in pending)
            raise InputError(f"a line of more than {MAX_LINE >> 20} MiB", file=name, line=line)
        if end and size >= PIECE // 4:
            block = b"".join(pending)
            yield from _text(name, first, block)
            first += block.count(b"\n")
            pending, size = [], 0
        if end:
            pending.append(piece[end:])
            size += len(piece) - end
    if block := b"".join(pending):
        yield from _text(name, first, block)


def _text(name: str, first: int, block: bytes) -> Iterator[Lines]:
    """Decode whole lines; those before a line that cannot be text come first."""
    bad, reason = block.find(b"\0"), "NUL bytes: not a text file"
    try:
        text = block.decode()
    except UnicodeDecodeError as error:
        if bad < 0 or error.start < bad:
            bad, reason = error.start, "not UTF-8 text"
    if bad >= 0:
        whole = block.rfind(b"\n", 0, bad) + 1
        text = block[:whole].decode()
    if first == 1:
        text = text.removeprefix("\ufeff")
    lines = text.split("\n")
    unfinished = bool(lines[-1])
    if not unfinished:
        lines.pop()
    yield Lines(first, lines, unfinished)
    if bad >= 0:
        raise InputError(reason, file=name, line=first + len(lines))
