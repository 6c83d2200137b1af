"""What a format of conversations is: one subclass, one file, here or elsewhere; and how text becomes blocks.

There is no tokeniser here. A token is 4 bytes of UTF-8, the last of a message maybe fewer: about what English
costs in the vocabularies of today, and wrong by a factor of two or three for other scripts. Two prompts share
the full blocks of tokens that they have in common; what follows the last full block is a leaf of its own.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, NamedTuple

from kvtheory.traces.format import TraceFormat

BYTES = 4  # of a token
ROOT = b""


class Message(NamedTuple):
    """One message of a conversation.

    Attributes:
        asks: it is a prompt, not a reply.
        text: what it says.
    """

    asks: bool
    text: str


class Conversations(TraceFormat):
    """A format of conversations: JSON lines, or one JSON array, a conversation each."""

    @abstractmethod
    def messages(self, record: Mapping[str, Any]) -> list[Message]:
        """The messages of one conversation, in order.

        Raises:
            ValueError: saying which field is wrong and how: `(message, field)`.
        """


def texts(value: object, field: str, role: str, text: str, asks: frozenset[str]) -> list[Message]:
    """Messages from a list of objects with a role and a text.

    Args:
        value: what the record holds.
        field: its key.
        role: key of who speaks.
        text: key of what is said.
        asks: roles whose messages are prompts; a system prompt is one, too, with no reply of its own.

    Raises:
        ValueError: as :meth:`Conversations.messages`.
    """
    if not isinstance(value, list):
        raise ValueError("not a list of messages", field)
    found = []
    for place, item in enumerate(value, 1):
        if not (isinstance(item, dict) and isinstance(item.get(role), str)):
            raise ValueError(f"message {place} has no '{role}' that is a string", field)
        if not isinstance(item.get(text), str):
            raise ValueError(f"message {place} has no '{text}' that is a string", field)
        found.append(Message(item[role] in asks, item[text]))
    return found


class Blocks:
    """The blocks of a prompt that grows, message by message.

    Args:
        size: tokens in a block.

    Attributes:
        ids: of the full blocks, root to tip: 63 bits of a hash of everything before and in the block.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.ids: list[int] = []
        self._above = ROOT
        self._rest: list[bytes] = []

    def add(self, message: Message) -> int:
        """Append a message; its tokens."""
        written = message.text.encode("utf-8", "surrogatepass")
        tokens = [written[at : at + BYTES] for at in range(0, len(written), BYTES)]
        if tokens:  # who speaks is part of the first token, as a template would say it before the text
            tokens[0] = (b"\x01" if message.asks else b"\x02") + tokens[0]
        self._rest += tokens
        while len(self._rest) >= self.size:
            self._above = _hash(self._above, self._rest[: self.size])
            self.ids.append(_number(self._above))
            del self._rest[: self.size]
        return len(tokens)

    def prompt(self) -> tuple[list[int], list[int]]:
        """Ids and tokens of all blocks of the prompt so far."""
        sizes = [self.size] * len(self.ids)
        if not self._rest:
            return list(self.ids), sizes
        return [*self.ids, _number(_hash(self._above, self._rest))], [*sizes, len(self._rest)]


def _hash(above: bytes, tokens: list[bytes]) -> bytes:
    lengths = bytes(map(len, tokens))  # what is a token is part of the block, too
    head = above + len(tokens).to_bytes(4, "big")
    return blake2b(head + lengths + b"".join(tokens), digest_size=16).digest()


def _number(digest: bytes) -> int:
    return int.from_bytes(digest[:8], "big") >> 1
