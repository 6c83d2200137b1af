"""Notes on nodes that a request has announced and that come in later."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

from kvtheory.object_policy import Key, Memory


class Coming(Memory):
    """What was known of each missing node of a path when the request was seen, until it is inserted.

    The simulator inserts a path at once. A live engine takes a long prompt in chunks, other requests come
    between, and some never finish: notes that nobody takes fall out, oldest first.

    Args:
        most: notes that are kept.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.notes: OrderedDict[Key, Any] = OrderedDict()

    def expect(self, nodes: Iterable[Key], note: Any) -> None:
        """Note the same of each of some nodes."""
        for v in nodes:
            self.notes.pop(v, None)
            self.notes[v] = note
        while len(self.notes) > self.most:
            self.notes.popitem(last=False)

    def take(self, v: Key, otherwise: Any) -> Any:
        """What was noted of a node, for the last time; `otherwise` for one that nobody announced."""
        return self.notes.pop(v, otherwise)
