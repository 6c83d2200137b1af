"""The traces of Alibaba Cloud's Bailian service (Qwen): time in seconds, 16 tokens in a block."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kvtheory.traces.columns import IntegerColumn, NameColumn, StoredColumn, TimeColumn
from kvtheory.traces.format import Format, Request, stated, stated_columns


class Bailian(Format):
    """Keys `chat_id`, `parent_chat_id` (-1 for a root), `timestamp` (s), `input_length`, `output_length`,
    `type` (text, search, image, file), `turn`, `hash_ids`; `block_size` if it is not 16; optional `session`,
    `priority`.
    """

    name = "bailian"
    block_size = 16

    def detect(self, record: Mapping[str, Any]) -> bool:
        """Requests belong to chats in this format alone."""
        return "chat_id" in record

    def columns(self) -> list[StoredColumn]:
        """Time, output length, and the request's place in its conversation."""
        return [
            TimeColumn("timestamp", unit=1),
            IntegerColumn("output_length"),
            IntegerColumn("chat_id"),
            IntegerColumn("parent_chat_id", minimum=-1),
            IntegerColumn("turn"),
            NameColumn("type"),
            *stated_columns(),
        ]

    def write(self, request: Request) -> dict[str, Any]:
        """All keys: where the trace has no chats, each request is a chat of its own."""
        values = request.values
        return {
            "chat_id": values.get("chat_id", request.index),
            "parent_chat_id": values.get("parent_chat_id", -1),
            "timestamp": values.get("timestamp", 0),
            "input_length": request.input_length,
            "output_length": values.get("output_length", 0),
            "type": values.get("type", "text"),
            "turn": values.get("turn", 1),
            "hash_ids": request.hash_ids,
            **stated(request),
            **self.block_size_key(request),
        }
