"""The fast engine for policies that are objects: callbacks in Python, the leaves kept as they change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from kvtheory.errors import PolicyError
from kvtheory.facts import Facts
from kvtheory.model import IntArray, Trace
from kvtheory.object_policy import ObjectPolicy
from kvtheory.rng import SplitMix64


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
    mind = policy(capacity, SplitMix64(seed))
    facts = Facts.of(trace, policy.reads) if policy.reads else None
    parent: list[int] = trace.tree.parent.tolist()
    depth: list[int] = trace.tree.depth.tolist()
    children = [-1] * len(parent)  # cached children; -1: not cached
    children[0] = 0
    inserted = [0] * len(parent)
    leaves: dict[int, None] = {}
    size = insertions = evictions = 0
    for t, v in enumerate(trace.requests.tolist()):
        path, u = [], v
        while u:
            path.append(u)
            u = parent[u]
        path.reverse()
        held = len(path)
        while held and children[path[held - 1]] < 0:
            held -= 1
        hit[t] = deepest = path[held - 1] if held else 0
        leaves.pop(deepest, None)
        if facts is not None:
            mind.on_arrival(facts[t])
        mind.on_request(path, path[:held])
        if held < len(path):
            children[deepest] += 1
            size += len(path) - held
            for u in path[held:]:
                children[u] = 1
                inserted[u] = insertions
                insertions += 1
                mind.on_insert(u)
            children[v] = 0
        while size > capacity:
            victim = mind.victim(leaves)
            if victim is None:
                victim = min(leaves, key=lambda u: (-depth[u], inserted[u]))
            if victim not in leaves:
                raise PolicyError(f"{policy.name}: names {victim!r} in request {t}, which may not go")
            del leaves[victim]
            children[victim] = -1
            size -= 1
            if victims.size:
                victims[evictions] = victim
            evictions += 1
            mind.on_evict(victim)
            u = parent[victim]
            children[u] -= 1
            if u and u != v and not children[u]:
                leaves[u] = None
                mind.on_leaf(u)
        if v and not children[v]:
            leaves[v] = None
            mind.on_leaf(v)
        if watch is not None:
            watch(mind)
    return evictions
