"""What a trace format is: one subclass, one file, here or in another distribution."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from kvtheory.traces.columns import INT64_MAX, IntegerColumn, StoredColumn


@dataclass(frozen=True)
class Request:
    """One request as a writer sees it.

    Attributes:
        index: its place in the trace, from 0.
        hash_ids: block ids, root to tip.
        input_length: tokens on the path.
        block_size: tokens in a full block.
        block_tokens: tokens of each block where `input_length` does not tell them and the format
            `counts_blocks`; else None.
        values: the trace's columns at this request, `timestamp` in seconds, `type` by name.
    """

    index: int
    hash_ids: list[int]
    input_length: int
    block_size: int
    block_tokens: list[int] | None
    values: Mapping[str, Any]


class TraceFormat(ABC):
    """What a file may hold: requests (:class:`Format`) or conversations
    (:class:`kvtheory.traces.conversation.Conversations`).

    Attributes:
        name: what the command line calls it.
        fallback: takes the files that no other format knows.
    """

    name: ClassVar[str]
    fallback: ClassVar[bool] = False

    @abstractmethod
    def detect(self, record: Mapping[str, Any]) -> bool:
        """Whether a file with this first record is in this format; two that say so are an error."""


class Format(TraceFormat):
    """A JSON-lines format, one request a line, with the block ids of its prompt in `hash_ids`.

    Attributes:
        block_size: tokens in a block where no record says; None: every record must say.
        required: fields that a record must have; others are optional, but in all records or in none.
        counts_blocks: has a key for the tokens of each block.
    """

    block_size: ClassVar[int | None]
    required: ClassVar[tuple[str, ...]] = ("hash_ids",)
    counts_blocks: ClassVar[bool] = False

    @abstractmethod
    def columns(self) -> list[StoredColumn]:
        """The extra fields of this format, with what their values may be."""

    @abstractmethod
    def write(self, request: Request) -> dict[str, Any]:
        """The record of one request."""

    def block_size_key(self, request: Request) -> dict[str, int]:
        """The `block_size` key, where the default does not say it."""
        return {} if request.block_size == self.block_size else {"block_size": request.block_size}


STATED = ("session", "priority")
"""What every format may carry beside its own fields: facts that policies read, see :mod:`kvtheory.facts`."""


def stated_columns() -> list[StoredColumn]:
    """Their columns: the number of a conversation, and a priority, larger ones kept longer."""
    return [IntegerColumn("session"), IntegerColumn("priority", minimum=-INT64_MAX)]


def stated(request: Request) -> dict[str, int]:
    """Those keys that the trace has a value for."""
    return {key: request.values[key] for key in STATED if key in request.values}


def milliseconds(seconds: float) -> int | float:
    """Seconds in milliseconds, an int where there is no fraction (61.114 s are 61114 ms)."""
    value = round(seconds * 1000, 6)
    return int(value) if value == int(value) else value
