"""The traces of the KVCache.AI hit-rate simulator: every record states its block size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kvtheory.traces.columns import IntegerColumn, StoredColumn, TimeColumn
from kvtheory.traces.format import Format, Request, milliseconds, stated, stated_columns


class KVCacheAI(Format):
    """Keys `block_size`, `hash_ids`, `input_length`; optional `timestamp` (ms, as in the same group's
    Mooncake traces; its simulator reads no time), `output_length`, `block_tokens` (tokens of each block),
    `session`, `priority`.
    """

    name = "kvcache_ai"
    block_size = None
    required = ("block_size", "hash_ids", "input_length")
    counts_blocks = True

    def detect(self, record: Mapping[str, Any]) -> bool:
        """Token counts per block, or block size and input length beside less than all of Mooncake's keys."""
        if "chat_id" in record:
            return False
        sized = {"block_size", "input_length"} <= record.keys()
        return "block_tokens" in record or (sized and not {"timestamp", "output_length"} <= record.keys())

    def columns(self) -> list[StoredColumn]:
        """Timestamp and output length, and what a client stated."""
        return [TimeColumn("timestamp", unit=1000), IntegerColumn("output_length"), *stated_columns()]

    def write(self, request: Request) -> dict[str, Any]:
        """The required keys, and the optional ones that the trace has a value for."""
        record: dict[str, Any] = {
            "block_size": request.block_size,
            "hash_ids": request.hash_ids,
            "input_length": request.input_length,
        }
        if "timestamp" in request.values:
            record["timestamp"] = milliseconds(request.values["timestamp"])
        if "output_length" in request.values:
            record["output_length"] = request.values["output_length"]
        if request.block_tokens is not None:
            record["block_tokens"] = request.block_tokens
        return {**record, **stated(request)}
