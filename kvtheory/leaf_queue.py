"""What classic policies are made of: keys in an order, and the first of them that may be evicted."""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Container, Iterable, Iterator
from typing import Any, Generic, TypeVar

Key = TypeVar("Key")


class LeafQueue(Generic[Key]):
    """A queue from which the leaf rule allows only some to leave.

    A flat cache evicts the front of a list. On a prefix tree the front may be an inner node, or in use; then
    the first evictable one goes. A heap of the keys that became evictable finds it in logarithmic time, if
    the owner passes on every `on_leaf` by :meth:`offer`.

    Args:
        keys: what it holds at the start, front first.
    """

    def __init__(self, keys: Iterable[Key] = ()) -> None:
        self._stamp: OrderedDict[Key, int] = OrderedDict()  # a dict walks over what was taken from its front
        self._offered: list[tuple[int, Key]] = []
        self._stamps = 0
        for key in keys:
            self.push(key)

    def __len__(self) -> int:
        return len(self._stamp)

    def __contains__(self, key: object) -> bool:
        return key in self._stamp

    def __iter__(self) -> Iterator[Key]:
        return iter(self._stamp)

    def push(self, key: Key) -> None:
        """Put a key at the back, wherever it was."""
        self._stamp.pop(key, None)
        self._stamp[key] = self._stamps
        heapq.heappush(self._offered, (self._stamps, key))
        self._stamps += 1
        if len(self._offered) > 2 * len(self._stamp) + 1024:
            self._offered = [(stamp, key) for key, stamp in self._stamp.items()]

    def offer(self, key: Key) -> None:
        """A key may be evicted from now on; nothing happens if it is not here."""
        stamp = self._stamp.get(key)
        if stamp is not None:
            heapq.heappush(self._offered, (stamp, key))

    def discard(self, key: Key) -> bool:
        """Take a key out; whether it was here."""
        return self._stamp.pop(key, None) is not None

    def first(self, leaves: Container[Key]) -> Key | None:
        """The key nearest to the front that is among `leaves`; None if none is. It stays."""
        offered = self._offered
        while offered:
            stamp, key = offered[0]
            if self._stamp.get(key) == stamp and key in leaves:
                return key
            heapq.heappop(offered)
        return None

    def pop(self) -> Key:
        """Take the front out, leaf or not."""
        return self._stamp.popitem(last=False)[0]


class LeafHeap(Generic[Key]):
    """Keys with ranks; the smallest rank that may be evicted in logarithmic time, as :class:`LeafQueue`.

    Args:
        ranked: pairs of a key and its rank, a sequence of numbers; no two ranks are equal.
    """

    def __init__(self, ranked: Iterable[tuple[Key, Iterable[Any]]] = ()) -> None:
        self._rank: dict[Key, tuple[Any, ...]] = {}
        self._offered: list[tuple[tuple[Any, ...], Key]] = []
        for key, rank in ranked:
            self.push(key, tuple(rank))

    def __len__(self) -> int:
        return len(self._rank)

    def __iter__(self) -> Iterator[tuple[Key, tuple[Any, ...]]]:
        return iter(self._rank.items())

    def push(self, key: Key, rank: tuple[Any, ...]) -> None:
        """Give a key a rank, whatever it had."""
        self._rank[key] = rank
        heapq.heappush(self._offered, (rank, key))
        if len(self._offered) > 2 * len(self._rank) + 1024:
            self._offered = [(rank, key) for key, rank in self._rank.items()]
            heapq.heapify(self._offered)

    def offer(self, key: Key) -> None:
        """A key may be evicted from now on; nothing happens if it is not here."""
        if key in self._rank:
            heapq.heappush(self._offered, (self._rank[key], key))

    def rank(self, key: Key) -> tuple[Any, ...]:
        """The rank of a key that is here."""
        return self._rank[key]

    def discard(self, key: Key) -> None:
        """Take a key out."""
        self._rank.pop(key, None)

    def first(self, leaves: Container[Key]) -> Key | None:
        """The key of smallest rank among `leaves`; None if none is. It stays."""
        offered = self._offered
        while offered:
            rank, key = offered[0]
            if self._rank.get(key) == rank and key in leaves:
                return key
            heapq.heappop(offered)
        return None
