"""The traces of the Mooncake project [Qin2025]_: time in milliseconds, 512 tokens in a block."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kvtheory.traces.columns import IntegerColumn, StoredColumn, TimeColumn
from kvtheory.traces.format import Format, Request, milliseconds, stated, stated_columns


class Mooncake(Format):
    """Keys `timestamp` (ms), `input_length`, `output_length`, `hash_ids`; `block_size` if it is not 512;
    optional `session`, `priority`.
    """

    name = "mooncake"
    block_size = 512
    fallback = True

    def detect(self, record: Mapping[str, Any]) -> bool:
        """Whatever has block ids."""
        return "hash_ids" in record

    def columns(self) -> list[StoredColumn]:
        """Timestamp and output length, and what a client stated."""
        return [TimeColumn("timestamp", unit=1000), IntegerColumn("output_length"), *stated_columns()]

    def write(self, request: Request) -> dict[str, Any]:
        """All four keys: a field of these that the trace lacks is 0."""
        return {
            "timestamp": milliseconds(request.values.get("timestamp", 0)),
            "input_length": request.input_length,
            "output_length": request.values.get("output_length", 0),
            "hash_ids": request.hash_ids,
            **stated(request),
            **self.block_size_key(request),
        }
