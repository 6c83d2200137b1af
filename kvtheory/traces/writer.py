"""A :class:`Trace` becomes a file of JSON lines."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from itertools import islice
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from kvtheory._numba import njit
from kvtheory.atomic import atomic_write
from kvtheory.errors import InputError
from kvtheory.model import IntArray, Trace
from kvtheory.registry import lookup
from kvtheory.traces.format import Format, Request
from kvtheory.traces.formats import request_formats

_LINES_PER_WRITE = 4096


def write_trace(trace: Trace, path: str | Path, format: str = "mooncake") -> None:
    """Write a trace; reading it again gives the same trace, renumbered in order of first appearance.

    A block that is not full and not the last of its path is exact only where the format `counts_blocks`;
    columns that a format has no key for are left out. A trace read with `on_conflict="split"` is read again
    only so.

    Args:
        trace: what to write; where it has no ids, node numbers are the block ids.
        path: a file, compressed if it ends in `.gz` or `.zst`; `-` for standard output.
        format: one of :func:`kvtheory.traces.formats.request_formats`.

    Raises:
        InputError: if the format is unknown, a timestamp not finite, or the file cannot be written.
    """
    form = lookup(request_formats(), format, "trace format")
    if "timestamp" in trace.columns and not np.isfinite(trace.columns["timestamp"].astype(np.float64)).all():
        raise InputError("not a finite number", file=trace.source, field="timestamp")
    lines = (json.dumps(form.write(request)) + "\n" for request in _requests(trace, form))
    with _sink(path) as file:
        while chunk := "".join(islice(lines, _LINES_PER_WRITE)):
            file.write(chunk.encode())
        file.flush()


def _requests(trace: Trace, form: Format) -> Iterator[Request]:
    tree = trace.tree
    total = tree.path_sums(tree.tokens)
    counted = form.counts_blocks and _needs_block_tokens(trace)
    ids = np.arange(tree.n + 1) if trace.ids is None else trace.ids
    depths = trace.depths
    for index, v in enumerate(trace.requests):
        path = _path(tree.parent, v, depths[index])
        values: dict[str, Any] = {key: column[index].item() for key, column in trace.columns.items()}
        if "type" in values:
            values["type"] = trace.type_names[values["type"]]
        yield Request(
            index=index,
            hash_ids=ids[path].tolist(),
            input_length=int(total[v]),
            block_size=trace.block_tokens,
            block_tokens=tree.tokens[path].tolist() if counted else None,
            values=values,
        )


def _needs_block_tokens(trace: Trace) -> bool:
    """Whether a block above another is not full, or one holds more than a block's tokens."""
    tokens, parent = trace.tree.tokens, trace.tree.parent
    above = parent[1:][parent[1:] > 0]
    return bool((tokens[above] != trace.block_tokens).any() or (tokens > trace.block_tokens).any())


@njit
def _path(parent: IntArray, v: int, depth: int) -> IntArray:
    path = np.empty(depth, np.int32)
    for i in range(depth - 1, -1, -1):
        path[i] = v
        v = parent[v]
    return path


@contextmanager
def _sink(path: str | Path) -> Iterator[IO[bytes]]:
    if str(path) == "-":
        yield sys.stdout.buffer
        return
    suffix = Path(path).suffix
    with atomic_write(path, "wb") as file, _compressed(file, suffix) as sink:
        yield sink


def _compressed(file: IO[bytes], suffix: str) -> AbstractContextManager[IO[bytes]]:
    if suffix == ".gz":
        member = gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0, compresslevel=6)
        return closing(cast(IO[bytes], member))
    if suffix != ".zst":
        return nullcontext(file)
    try:
        import zstandard
    except ImportError:
        raise InputError("install the package zstandard to write .zst files") from None
    return zstandard.ZstdCompressor(level=9, write_checksum=True).stream_writer(file, closefd=False)
