"""A closed set of keys that knows its tree: which are its leaves, and which branch was used longest ago."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any

from kvtheory.object_policy import Key, Memory

ROOT = None
"""Parent of the first key of a path."""


class ClosedSet(Memory):
    """Keys of a prefix tree, each with its ancestors.

    Attributes:
        parent: of each key; in the order of last use, oldest first, ancestors before descendants.
        children: of each key that has any, in the order of last use.
    """

    def __init__(self) -> None:
        self.parent: OrderedDict[Key, Key] = OrderedDict()
        self.children: dict[Key, OrderedDict[Key, None]] = {}

    def __contains__(self, key: object) -> bool:
        return key in self.parent

    def __len__(self) -> int:
        return len(self.parent)

    def use(self, path: Sequence[Key], above: Key = ROOT) -> None:
        """Add a path, root to tip, or a stretch of one below `above`; its keys are the latest used."""
        for v in path:
            self.parent[v] = above
            self.parent.move_to_end(v)
            siblings = self.children.setdefault(above, OrderedDict())
            siblings[v] = None
            siblings.move_to_end(v)
            above = v

    def remove(self, v: Key) -> None:
        """Take a key out."""
        above = self.parent.pop(v)
        siblings = self.children[above]
        del siblings[v]
        if not siblings:
            del self.children[above]

    def oldest_leaf(self, v: Key) -> Key:
        """The leaf that one reaches from `v` by always going on to the child used longest ago."""
        while v in self.children:
            v = next(iter(self.children[v]))
        return v

    def leaves(self, v: Key) -> Iterator[Key]:
        """The leaves below `v`, itself if it is one, in an order given by use alone."""
        waiting = [v]
        while waiting:
            u = waiting.pop()
            if u in self.children:
                waiting.extend(self.children[u])
            else:
                yield u

    def snapshot(self) -> dict[str, Any]:
        """The parents; the children follow from them."""
        state = super().snapshot()
        del state["children"]
        return state

    def restore(self, state: dict[str, Any]) -> None:
        """Return to a snapshot."""
        super().restore(state)
        self.children = {}
        for v, above in self.parent.items():
            self.children.setdefault(above, OrderedDict())[v] = None
