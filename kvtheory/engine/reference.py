"""The reference engine: plain Python, one request at a time, the meaning of every policy.

It follows the order of events of :mod:`kvtheory.model` line by line and is written to be read, not to be
fast. `check_traits=True` holds the policy's declared traits to its behaviour at every eviction.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

from kvtheory.errors import PolicyError
from kvtheory.model import ROOT, PrefixTree
from kvtheory.policy import Policy, Trait
from kvtheory.rng import SplitMix64


class ReferenceEngine:
    """A cache of `capacity` nodes over `tree` under `policy`.

    Args:
        tree: the prefixes.
        capacity: nodes the cache holds, at least 1.
        policy: the eviction policy.
        seed: seed of every draw.
        check_traits: raise PolicyError when the policy breaks a promise.
    """

    def __init__(
        self,
        tree: PrefixTree,
        capacity: int,
        policy: type[Policy],
        seed: int = 0,
        *,
        check_traits: bool = False,
    ) -> None:
        self.parent = [int(p) for p in tree.parent]
        self.depth = [int(d) for d in tree.depth]
        self.capacity, self.policy, self.check_traits = capacity, policy, check_traits
        self.rng = SplitMix64(seed)
        self.columns = SimpleNamespace(**{name: [0] * len(self.parent) for name in policy.columns})
        self.columns.marked = [0] * len(self.parent)
        self.marked_order: list[int] = []
        self.cached: set[int] = set()
        self.cached_children = [0] * len(self.parent)
        self.inserted_at: dict[int, int] = {}
        self.insertions = 0
        self.candidates: list[int] = []
        self.time = 0
        self.touched_rank: dict[int, Any] = {}
        self.touched_at: dict[int, int] = {}

    def serve(self, v: int) -> tuple[int, list[int]]:
        """Serve one request; return the hit (a node, 0 for none) and the victims in order."""
        path = self._path(v)
        self._advance_phase(path)
        hit = max((u for u in path if u in self.cached), key=lambda u: self.depth[u], default=ROOT)
        if hit in self.candidates:
            self._leave(hit)
        for u in path:
            self._access(u)
        victims = []
        while len(self.cached) > self.capacity:
            victims.append(self._evict(v))
        self._join(v)
        if self.check_traits:
            self._remember_ranks(path)
        self.time += 1
        return hit, victims

    def run(self, requests: Iterable[int]) -> tuple[list[int], list[list[int]]]:
        """Serve every request; return the hits and the victims, request by request."""
        served = [self.serve(int(v)) for v in requests]
        return [hit for hit, _ in served], [victims for _, victims in served]

    def snapshot(self) -> dict[str, Any]:
        """Everything the future depends on, as a deep copy."""
        fixed = ("parent", "depth", "policy", "capacity", "check_traits")
        return copy.deepcopy({key: value for key, value in vars(self).items() if key not in fixed})

    def restore(self, state: dict[str, Any], rng: SplitMix64 | None = None) -> None:
        """Return to a snapshot; with another generator, wherever it holds the engine's, if one is given."""
        vars(self).update(copy.deepcopy(state, {} if rng is None else {id(state["rng"]): rng}))

    def leaves(self, pinned: int) -> list[int]:
        """Cached leaves that are not pinned by a request for node `pinned`, by insertion."""
        free = [u for u in self.cached if self.cached_children[u] == 0 and u != pinned]
        return sorted(free, key=lambda u: self.inserted_at[u])

    def _path(self, v: int) -> list[int]:
        path = []
        while v != ROOT:
            path.append(v)
            v = self.parent[v]
        return path[::-1]

    def _advance_phase(self, path: list[int]) -> None:
        marked = self.columns.marked
        overflows = len(self.marked_order) + sum(1 for u in path if not marked[u]) > self.capacity
        if overflows and Trait.FULL not in self.policy.traits:
            ended, self.marked_order = self.marked_order, []
            for u in ended:
                marked[u] = 0
            if Trait.BINARY in self.policy.traits:
                for u in ended:
                    if u not in self.candidates:
                        self._join(u)
        for u in path:
            if not marked[u]:
                marked[u] = 1
                self.marked_order.append(u)

    def _end_full_phase(self, pinned: int) -> None:
        """Under FULL, when all that may go is marked: the path of the request alone stays marked."""
        ended, self.marked_order = self.marked_order, self._path(pinned)
        for u in ended:
            self.columns.marked[u] = 0
        for u in self.marked_order:
            self.columns.marked[u] = 1
        if Trait.BINARY in self.policy.traits:
            for u in ended:
                if u != pinned and u not in self.candidates:
                    self._join(u)

    def _access(self, u: int) -> None:
        if u not in self.cached:
            self.cached.add(u)
            self.inserted_at[u] = self.insertions
            self.insertions += 1
            self.cached_children[self.parent[u]] += 1
            if self.policy.on_insert is not None:
                self.policy.on_insert(self.columns, u, self.time)
        if self.policy.on_access is not None:
            self.policy.on_access(self.columns, u, self.time)

    def _evict(self, pinned: int) -> int:
        victim = self._draw(pinned) if self.policy.weight is not None else self._smallest_rank(pinned)
        self.cached.remove(victim)
        self.cached_children[self.parent[victim]] -= 1
        if self.policy.on_evict is not None:
            self.policy.on_evict(self.columns, victim, self.time)
        for name in self.policy.columns:
            getattr(self.columns, name)[victim] = 0
        if self.parent[victim] != pinned:
            self._join(self.parent[victim])
        return victim

    def _smallest_rank(self, pinned: int) -> int:
        rank = self.policy.rank
        assert rank is not None
        leaves = self.leaves(pinned)
        victim = min(leaves, key=lambda u: (rank(self.columns, u), -self.depth[u], self.inserted_at[u]))
        if self.check_traits:
            self._check_rank_traits(leaves, victim)
        return victim

    def _draw(self, pinned: int) -> int:
        assert self.policy.weight is not None
        weights = [int(self.policy.weight(self.columns, u)) for u in self.candidates]
        if Trait.FULL in self.policy.traits and not any(weights):
            self._end_full_phase(pinned)
            weights = [int(self.policy.weight(self.columns, u)) for u in self.candidates]
        if self.check_traits:
            self._check_weight_traits(pinned, weights)
        if sum(weights) <= 0 or min(weights) < 0:
            raise PolicyError(f"{self.policy.name}: no candidate of positive weight in request {self.time}")
        draw = self.rng.below(sum(weights))
        chosen = 0
        while draw >= weights[chosen]:
            draw -= weights[chosen]
            chosen += 1
        victim = self.candidates[chosen]
        if Trait.FULL in self.policy.traits and self.columns.marked[victim]:
            raise PolicyError(f"{self.policy.name}: declares FULL, but gives weight to a marked node")
        self._leave(victim)
        return victim

    def _join(self, u: int) -> None:
        """Append `u` to the candidates if it is a cached leaf that belongs there."""
        if self.policy.weight is None or u == ROOT or u not in self.cached or self.cached_children[u]:
            return
        if Trait.BINARY not in self.policy.traits or self.policy.weight(self.columns, u) > 0:
            self.candidates.append(u)

    def _leave(self, u: int) -> None:
        at = self.candidates.index(u)
        last = self.candidates.pop()
        if last != u:
            self.candidates[at] = last

    def _remember_ranks(self, path: list[int]) -> None:
        for u in path:
            self.touched_at[u] = self.time
            if self.policy.rank is not None and u in self.cached:
                self.touched_rank[u] = self.policy.rank(self.columns, u)

    def _check_rank_traits(self, leaves: list[int], victim: int) -> None:
        rank, traits, name = self.policy.rank, self.policy.traits, self.policy.name
        assert rank is not None
        if Trait.TOUCH in traits and any(rank(self.columns, u) != self.touched_rank[u] for u in leaves):
            raise PolicyError(f"{name}: declares TOUCH, but a rank changed without an access")
        if Trait.RECENCY in traits:
            oldest = min(leaves, key=lambda u: (self.touched_at[u], -self.depth[u], self.inserted_at[u]))
            if victim != oldest:
                raise PolicyError(f"{name}: declares RECENCY, but evicts {victim} before {oldest}")

    def _check_weight_traits(self, pinned: int, weights: list[int]) -> None:
        weight = self.policy.weight
        assert weight is not None
        if Trait.BINARY in self.policy.traits:
            free = self.leaves(pinned)
            if any(int(weight(self.columns, u)) not in (0, 1) for u in free):
                raise PolicyError(f"{self.policy.name}: declares BINARY, but a weight is not 0 or 1")
            positive = {u for u in free if weight(self.columns, u)}
            if positive != set(self.candidates) or set(weights) - {1}:
                raise PolicyError(f"{self.policy.name}: declares BINARY, but a weight changed unseen")
