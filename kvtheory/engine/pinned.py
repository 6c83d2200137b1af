"""A cache that several requests use at a time: who fits, what is pinned, who is evicted and when.

It is the block pool of an engine without the engine. A request holds the blocks of its path, and a partial
one for the rest of its prompt and its answer, from its admission to its last token. The policy's view is the
:class:`~kvtheory.engine.node_table.NodeTable` that runs inside vLLM. Two schedulers admit and release
through it: :func:`~kvtheory.live.together.hits_together`, which equals vLLM hit for hit, and a cluster's
batching workers.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kvtheory.engine.node_table import NodeTable
from kvtheory.facts import About
from kvtheory.model import PrefixTree
from kvtheory.object_policy import AnyPolicy


class Admission(NamedTuple):
    """What the admission of a request did to the cache.

    Attributes:
        path: the request's nodes, root to tip, all of them cached now.
        hit: how many of them were cached before.
        victims: the nodes that were evicted, in order.
    """

    path: list[int]
    hit: int
    victims: list[int]


class PinnedCache:
    """The blocks of one engine.

    Args:
        tree: the prompts.
        policy: who chooses the victims.
        blocks: usable blocks; one request at a time leaves `blocks` - 1 for nodes.
        seed: of every draw.
    """

    def __init__(self, tree: PrefixTree, policy: AnyPolicy, blocks: int, seed: int = 0) -> None:
        self.tree, self.blocks = tree, blocks
        self.table: NodeTable[int] = NodeTable(policy, blocks - 1, blocks + 1, seed)
        self.users = np.zeros(tree.n + 1, np.int32)
        self.used, self.empty = 0, blocks
        """Blocks that running requests hold, and blocks that hold nothing."""

    def clear(self) -> None:
        """Everything is lost, whoever runs; the draws go on."""
        self.table.clear(seed=self.table.random_state)
        self.users[:] = 0
        self.used, self.empty = 0, self.blocks

    def admit(self, v: int, about: About | None = None) -> Admission | None:
        """A request for node `v` begins, if the blocks that nobody uses can hold what it lacks; else None.

        `about`: what it says of itself.
        """
        path = self.tree.path(v)
        hit = next((i for i, u in enumerate(path) if u not in self.table), len(path))
        idle = [u for u in path[:hit] if not self.users[u]]
        lacking = len(path) - hit + 1
        if self.used + len(idle) + lacking > self.blocks:
            return None
        slots = self.table.slots(path)
        gaining = [self.table.slot(u) for u in idle + path[hit:]]
        self.table.serve(slots, np.array(gaining, np.int32), len(path), about)
        victims = self.table.evict(max(0, lacking - self.empty))
        self.empty += len(victims) - lacking
        self.users[path] += 1
        self.used += len(idle) + lacking
        return Admission(path, hit, victims)

    def finish(self, v: int) -> None:
        """A request for node `v` has its last token: its blocks are free, its nodes stay cached."""
        path = self.tree.path(v)
        self.users[path] -= 1
        idle = [u for u in reversed(path) if not self.users[u]]
        self.table.release(np.array([self.table.slot(u) for u in idle], np.int32))
        self.used -= len(idle) + 1
        self.empty += 1
