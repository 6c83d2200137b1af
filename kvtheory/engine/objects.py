"""The fast engine for policies that are objects: callbacks in Python, the leaves kept as they change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from kvtheory.errors import PolicyError
from kvtheory.facts import About, Facts
from kvtheory.model import IntArray, Trace
from kvtheory.object_policy import ObjectPolicy
from kvtheory.rng import SplitMix64


class ObjectCache:
    """One cache under an object; it holds what is cached and no array of the tree's size.

    Args:
        parent: parent of each node, 0 the root.
        depth: its depth.
        capacity: nodes the cache holds.
        policy: the eviction policy.
        seed: seed of every draw.
    """

    def __init__(
        self,
        parent: Sequence[int],
        depth: Sequence[int],
        capacity: int,
        policy: type[ObjectPolicy],
        seed: int,
    ) -> None:
        self.mind = policy(capacity, SplitMix64(seed))
        self.capacity = capacity
        self.served = 0
        self.children = {0: 0}  # of every cached node the cached children
        self._parent, self._depth = parent, depth
        self._leaves: dict[int, None] = {}
        self._inserted: dict[int, int] = {}
        self._insertions = 0

    def serve(self, v: int, about: About, victims: list[int]) -> int:
        """Serve node `v`; its deepest cached node, 0 for none. The victims are appended.

        `about` is what the request says of itself.

        Raises:
            PolicyError: if the policy names a node that may not be evicted.
        """
        mind, parent, children, leaves = self.mind, self._parent, self.children, self._leaves
        path, u = [], v
        while u:
            path.append(u)
            u = parent[u]
        path.reverse()
        held = len(path)
        while held and path[held - 1] not in children:
            held -= 1
        hit = path[held - 1] if held else 0
        leaves.pop(hit, None)
        if mind.reads:
            mind.on_arrival(about)
        mind.on_request(path, path[:held])
        if held < len(path):
            children[hit] += 1
            inserted, insertions = self._inserted, self._insertions
            for u in path[held:]:
                children[u] = 1
                inserted[u] = insertions
                insertions += 1
                mind.on_insert(u)
            children[v] = 0
            self._insertions = insertions
            while len(children) > self.capacity + 1:
                self._evict(v, victims)
        if v and not children[v]:
            leaves[v] = None
            mind.on_leaf(v)
        self.served += 1
        return hit

    def _evict(self, served: int, victims: list[int]) -> None:
        mind, leaves, children = self.mind, self._leaves, self.children
        victim = mind.victim(leaves)
        if victim is None:
            victim = min(leaves, key=lambda u: (-self._depth[u], self._inserted[u]))
        if victim not in leaves:
            raise PolicyError(f"{mind.name}: names {victim!r} in request {self.served}, which may not go")
        del leaves[victim], children[victim], self._inserted[victim]
        victims.append(victim)
        mind.on_evict(victim)
        u = self._parent[victim]
        children[u] -= 1
        if u and u != served and not children[u]:
            leaves[u] = None
            mind.on_leaf(u)


def replay_object(
    trace: Trace,
    capacity: int,
    policy: type[ObjectPolicy],
    seed: int,
    hit: IntArray,
    victims: npt.NDArray[np.int32],
    watch: Callable[[Any], None] | None = None,
) -> int:
    """Replay from the empty cache; returns the number of evictions.

    Args:
        trace: requests whose paths fit.
        capacity: nodes the cache holds.
        policy: the eviction policy.
        seed: seed of every draw.
        hit: int32, shape (N,), receives the deepest cached node of each path.
        victims: int32, receives the victims in order; empty if they are not wanted.
        watch: shown the object after every request.

    Raises:
        PolicyError: if the policy names a node that may not be evicted.
    """
    cache = ObjectCache(trace.tree.parent.tolist(), trace.tree.depth.tolist(), capacity, policy, seed)
    facts = Facts.of(trace, policy.reads)
    evictions = 0
    gone: list[int] = []
    for t, v in enumerate(trace.requests.tolist()):
        hit[t] = cache.serve(v, facts[t], gone)
        if gone:
            if victims.size:
                victims[evictions : evictions + len(gone)] = gone
            evictions += len(gone)
            gone.clear()
        if watch is not None:
            watch(cache.mind)
    return evictions
