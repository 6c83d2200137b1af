"""A trace file becomes a :class:`Trace`: streamed, O(accesses), with one error for the first bad line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, Literal, NoReturn

import numpy as np

from kvtheory.errors import InputError
from kvtheory.model import PrefixTree, Trace
from kvtheory.traces.builder import Conflict, TreeBuilder
from kvtheory.traces.columns import (
    INT32_MAX,
    INT64_MAX,
    Column,
    ConstantColumn,
    Fault,
    IntegerColumn,
    ListColumn,
    NameColumn,
    first_fault,
    integer_fault,
    kind_of,
)
from kvtheory.traces.conversations import find_format, read_conversations
from kvtheory.traces.formats import recognise, request_formats
from kvtheory.traces.source import Lines, read_lines, source_name


def read_trace(
    path: str | Path,
    *,
    on_conflict: Literal["refuse", "split"] = "refuse",
    block_size: int | None = None,
    stdin: BinaryIO | None = None,
) -> Trace:
    """Read a trace file; compression and format are found from its content, conversations among them.

    Nodes are numbered in order of first appearance; a node seen with different token counts has the
    largest. Without `input_length` every block is full.

    Args:
        path: a plain, gzip or zstd file of JSON lines, or `-` for standard input.
        on_conflict: what to do with one block id below two parents: `refuse`, or `split` it into one
            node per parent.
        block_size: tokens in a full block where the file does not say; default: as the format has it.
        stdin: what to read for `-`; `sys.stdin.buffer` by default.

    Raises:
        InputError: for the first line that is not right, or if the file cannot be read or has no requests.
    """
    name = source_name(path)
    if on_conflict not in ("refuse", "split"):
        raise InputError("choose 'refuse' or 'split'", field="on_conflict")
    if block_size is not None and (wrong := integer_fault(block_size, 1, INT32_MAX)):
        raise InputError(wrong, field="block_size")
    reader = _Reader(name, on_conflict == "split", block_size)
    with closing(read_lines(path, stdin)) as chunks:
        start = next(chunks, None)
        if start is None:
            return reader.finish()
        conversations = find_format(name, start)
        if conversations is not None:
            return read_conversations(name, chain([start], chunks), conversations, block_size)
        for lines in chain([start], chunks):
            reader.feed(lines)
    return reader.finish()


class _Reader:
    """Gathers the fields of a chunk's records in columns, checks them, and hands the paths to the builder."""

    def __init__(self, name: str, split: bool, block_size: int | None) -> None:
        self.name, self.split, self.wanted_block_size = name, split, block_size
        self.columns: list[Column] = []
        self.lines: list[int] = []

    def begin(self, line: int, record: Mapping[str, Any]) -> None:
        """Let the first record say the format, the block size and which optional fields there are.

        Raises:
            InputError: if it lacks a required field, or its block size is wrong.
        """
        if not isinstance(record, dict):
            raise TypeError
        if "hash_ids" not in record:
            self._refuse("missing", line, "hash_ids")
        form = recognise(record, request_formats(), self.name)
        assert form is not None, "one format takes whatever has block ids"
        stated = record.get("block_size")
        if "block_size" in record and (wrong := integer_fault(stated, 1, INT32_MAX)):
            self._refuse(wrong, line, "block_size")
        wanted = self.wanted_block_size
        if stated and wanted and stated != wanted:
            self._refuse(f"{stated}, but {wanted} was asked for", line, "block_size")
        block_size = stated or wanted or form.block_size
        if block_size is None:
            self._refuse("missing", line, "block_size")
        if "input_length" in form.required and "input_length" not in record:
            self._refuse("missing", line, "input_length")
        self.unstated = None if stated else block_size
        self.block_sizes = ConstantColumn("block_size", block_size)
        self.hash_ids = ListColumn("hash_ids", 0, INT64_MAX)
        self.input_lengths = IntegerColumn("input_length")
        self.block_tokens = ListColumn("block_tokens", 1, INT32_MAX)
        self.kept = [column for column in form.columns() if column.key in record]
        present = (column for column in (self.input_lengths, self.block_tokens) if column.key in record)
        self.columns = [self.hash_ids, *present, *self.kept]
        self.builder = TreeBuilder(block_size, split=self.split)

    def feed(self, chunk: Lines) -> None:
        """Take the records of a chunk of lines.

        Raises:
            InputError: for the first bad line.
        """
        fields = [(column.key, column.values.append) for column in self.columns]
        for number, line in enumerate(chunk.lines, chunk.first):
            try:
                record = json.loads(line)
            except (ValueError, RecursionError) as error:
                if not line.strip(" \t\r"):
                    continue
                cut = chunk.unfinished and number == chunk.first + len(chunk.lines) - 1
                self._refuse(_why_not_json(line, error, cut), number)
            try:
                if not fields:
                    self.begin(number, record)
                    fields = [(column.key, column.values.append) for column in self.columns]
                for key, append in fields:
                    append(record[key])
                self.block_sizes.values.append(record.get("block_size", self.unstated))
            except (KeyError, TypeError, AttributeError):
                if not isinstance(record, dict):
                    self._refuse(f"{kind_of(record)}, not an object", number)
                self._refuse("missing", number, next(key for key, _ in fields if key not in record))
            self.lines.append(number)
        self._flush()

    def finish(self) -> Trace:
        """Return the trace.

        Raises:
            InputError: if there were no requests.
        """
        if not self.columns:
            raise InputError("no requests", file=self.name)
        parent, tokens, ids, requests = self.builder.finish()
        names = (tuple(column.names) for column in self.kept if isinstance(column, NameColumn))
        return Trace(
            PrefixTree(parent, tokens),
            requests,
            block_tokens=self.builder.block_size,
            source=self.name,
            ids=ids,
            columns={column.key: column.array() for column in self.kept},
            type_names=next(names, ()),
        )

    def _flush(self) -> None:
        """Check the pending chunk, hand its paths to the builder and keep its columns."""
        if not self.lines:
            return
        fault = first_fault([*self.columns, self.block_sizes]) or self._length_fault()
        if fault:
            self._refuse(fault.message, self.lines[fault.row], fault.key, row=fault.row)
        lengths = self.hash_ids.lengths()
        input_lengths = np.array(self.input_lengths.values, dtype=np.int64)
        conflict = self.builder.add(self.hash_ids.flat, lengths, input_lengths, self.block_tokens.flat)
        if conflict:
            raise InputError(
                _describe(conflict), file=self.name, line=self.lines[conflict.row], field="hash_ids"
            )
        for column in self.kept:
            column.keep()
        self._keep_rows(0)

    def _length_fault(self) -> Fault | None:
        if self.block_tokens not in self.columns:
            return None
        pairs = zip(self.hash_ids.values, self.block_tokens.values, strict=True)
        wrong = ((row, len(ids), len(tokens)) for row, (ids, tokens) in enumerate(pairs))
        message = "{1} token counts for {0} blocks"
        return next((Fault(r, "block_tokens", message.format(i, t)) for r, i, t in wrong if i != t), None)

    def _refuse(self, message: str, line: int, field: str | None = None, row: int | None = None) -> NoReturn:
        """Raise for a bad line, but for an earlier conflict of ids first: the first bad line counts."""
        self._keep_rows(len(self.lines) if row is None else row)
        self._flush()
        raise InputError(message, file=self.name, line=line, field=field)

    def _keep_rows(self, rows: int) -> None:
        del self.lines[rows:]
        if self.columns:
            for column in (*self.columns, self.block_sizes):
                del column.values[rows:]


def _why_not_json(line: str, error: Exception, cut: bool) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if not isinstance(error, json.JSONDecodeError):
        return "an integer of too many digits"
    if cut and line.lstrip(" \t\r").startswith("{"):
        return "not JSON: the last line is cut short"
    return f"not JSON (column {error.colno})"


def _describe(conflict: Conflict) -> str:
    if conflict.repeated:
        return f"block {conflict.id} is twice in one path; --on-conflict split reads it as two blocks"
    here, before = (f"block {v}" if v >= 0 else "the root" for v in (conflict.parent, conflict.known_parent))
    return (
        f"block {conflict.id} comes after {here}, but after {before} in an earlier request; "
        "--on-conflict split reads it as one block per parent"
    )
