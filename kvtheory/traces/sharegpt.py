"""Conversations as in the files of ShareGPT: who speaks is `from`, what is said is `value`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kvtheory.traces.conversation import Conversations, Message, texts

ASKS = frozenset(("human", "user", "system"))


class ShareGPT(Conversations):
    """Key `conversations`: objects with `from` (`human`, `user`, `system` ask, others reply) and `value`."""

    name = "sharegpt"

    def detect(self, record: Mapping[str, Any]) -> bool:
        """The key is nobody else's."""
        return "conversations" in record

    def messages(self, record: Mapping[str, Any]) -> list[Message]:
        """The objects, in order."""
        return texts(record.get("conversations"), "conversations", "from", "value", ASKS)
