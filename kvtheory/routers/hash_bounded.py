"""Consistent hashing that no worker pays too much for."""

from __future__ import annotations

from math import ceil
from typing import Literal

from kvtheory.books import Ring, head, require
from kvtheory.router import Arrival, Router, View


class HashBounded(Router):
    """The worker that the prompt's first blocks are hashed to, or the next with room. [Mirrokni2018]_

    Consistent hashing with bounded loads: with m requests outstanding, this one included, and M workers up, a
    worker takes at most the ceiling of `bound` m / M; a key whose worker is full goes on clockwise.

    Published for any bound above 1; 1.25 is what servers of language models ship (KubeAI's prefix hash).

    Args:
        view: the cluster.
        key: what is hashed, the first blocks of the prompt or its conversation.
        prefix: how many blocks those are.
        bound: how full a worker may be, against the mean.
        points: of each worker on the ring.
    """

    name = "hash_bounded"
    source = "Mirrokni2018"
    hashes = True

    def __init__(
        self,
        view: View,
        *,
        key: Literal["prefix", "session"] = "prefix",
        prefix: int = 1,
        bound: float = 1.25,
        points: int = 100,
    ) -> None:
        require(prefix >= 1, "hash_bounded", "prefix", f"{prefix}: at least one block is hashed")
        require(bound >= 1, "hash_bounded", "bound", f"{bound}: a bound below 1 leaves no room")
        require(1 <= points <= 10_000, "hash_bounded", "points", f"{points} is not in 1..10000")
        super().__init__(view)
        self.key, self.prefix, self.bound = key, prefix, bound
        self.ring = Ring(view.workers, points)

    def choose(self, arrival: Arrival) -> int:
        view = self.view
        if self.key == "session":
            key = arrival.session
        else:
            key = head(view.tree.parent, view.tree.depth, arrival.node, self.prefix)
        most = ceil(self.bound * (int(self.outstanding.sum()) + 1) / int(view.up.sum()))
        return self.ring.owner(key, view.up & (self.outstanding < most))
