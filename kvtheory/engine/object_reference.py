"""The reference engine for policies that are objects: plain Python, the meaning."""

from __future__ import annotations

from typing import Any

from kvtheory.engine.reference import ReferenceEngine
from kvtheory.errors import PolicyError
from kvtheory.facts import Facts
from kvtheory.model import ROOT, PrefixTree
from kvtheory.object_policy import AnyPolicy, ObjectPolicy


class ObjectReference(ReferenceEngine):
    """A cache of `capacity` nodes over `tree` under an object of class `policy`.

    `mind` is the object, and `candidates` are the leaves it may choose from. There are no marks. `facts` is
    what the requests say of themselves: nothing, until somebody sets it.

    Args:
        tree: the prefixes.
        capacity: nodes the cache holds, at least 1.
        policy: the eviction policy.
        seed: seed of every draw.
        check_traits: accepted for the contract's sake; there are none.
    """

    def __init__(
        self,
        tree: PrefixTree,
        capacity: int,
        policy: Any,
        seed: int = 0,
        *,
        check_traits: bool = False,
    ) -> None:
        super().__init__(tree, capacity, policy, seed, check_traits=check_traits)
        self.mind: ObjectPolicy = policy(capacity, self.rng)
        self.facts = Facts()

    def serve(self, v: int) -> tuple[int, list[int]]:
        """Serve one request; return the hit (a node, 0 for none) and the victims in order."""
        path = self._path(v)
        held = [u for u in path if u in self.cached]
        if held and held[-1] in self.candidates:
            self.candidates.remove(held[-1])
        if self.mind.reads:
            self.mind.on_arrival(self.facts[self.time])
        self.mind.on_request(path, held)
        for u in path[len(held) :]:
            self.cached.add(u)
            self.inserted_at[u] = self.insertions
            self.insertions += 1
            self.cached_children[self.parent[u]] += 1
            self.mind.on_insert(u)
        victims = []
        while len(self.cached) > self.capacity:
            victims.append(self._evict(v))
        self._join(v)
        self.time += 1
        return (held[-1] if held else ROOT), victims

    def _evict(self, pinned: int) -> int:
        victim = self.mind.victim(tuple(self.candidates))
        if victim is None:
            victim = min(self.candidates, key=lambda u: (-self.depth[u], self.inserted_at[u]))
        if victim not in self.candidates:
            raise PolicyError(
                f"{self.policy.name}: names {victim!r} in request {self.time}, which may not go"
            )
        self.candidates.remove(victim)
        self.cached.remove(victim)
        self.cached_children[self.parent[victim]] -= 1
        self.mind.on_evict(victim)
        if self.parent[victim] != pinned:
            self._join(self.parent[victim])
        return int(victim)

    def _join(self, u: int) -> None:
        if u != ROOT and u in self.cached and not self.cached_children[u]:
            self.candidates.append(u)
            self.mind.on_leaf(u)


def reference_engine(policy: AnyPolicy) -> type[ReferenceEngine]:
    """The reference engine for a policy of either kind."""
    return ObjectReference if issubclass(policy, ObjectPolicy) else ReferenceEngine
