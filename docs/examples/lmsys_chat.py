"""A trace format of one's own: conversations as in the files of LMSYS-Chat-1M and WildChat."""

from collections.abc import Mapping
from typing import Any

from kvtheory.traces.conversation import Conversations, Message, texts

ASKS = frozenset(("system", "user"))


class LMSYSChat(Conversations):
    """Key `conversation`: objects with `role` (`system` and `user` ask, others reply) and `content`."""

    name = "lmsys_chat"

    def detect(self, record: Mapping[str, Any]) -> bool:
        """The key is nobody else's."""
        return "conversation" in record

    def messages(self, record: Mapping[str, Any]) -> list[Message]:
        """The objects, in order."""
        return texts(record["conversation"], "conversation", "role", "content", ASKS)


if __name__ == "__main__":
    from pathlib import Path

    from kvtheory.traces.conversations import read_conversations
    from kvtheory.traces.source import read_lines

    file = Path(__file__).with_name("lmsys_chat.jsonl")
    trace = read_conversations(file.name, read_lines(file), LMSYSChat(), block=8)
    for request, turn in zip(trace.requests, trace.columns["turn"], strict=True):
        print(f"turn {turn}: blocks {trace.tree.path(int(request))}")
