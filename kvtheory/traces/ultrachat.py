"""Conversations as in the files of UltraChat: a list of texts, the user's first; or `messages` with roles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kvtheory.traces.conversation import Conversations, Message, texts

ASKS = frozenset(("user", "system"))


class UltraChat(Conversations):
    """Key `data`: strings, prompt and reply in turn; or, as in its selection of 200,000, key `messages`:
    objects with `role` (`user` and `system` ask, all others reply) and `content`.
    """

    name = "ultrachat"

    def detect(self, record: Mapping[str, Any]) -> bool:
        """Either key."""
        return "messages" in record or "data" in record

    def messages(self, record: Mapping[str, Any]) -> list[Message]:
        """The strings or objects, in order."""
        if "messages" in record:
            return texts(record["messages"], "messages", "role", "content", ASKS)
        said = record.get("data")
        if not isinstance(said, list):
            raise ValueError("not a list of messages", "data")
        for place, text in enumerate(said, 1):
            if not isinstance(text, str):
                raise ValueError(f"message {place} is not a string", "data")
        return [Message(place % 2 == 0, text) for place, text in enumerate(said)]
