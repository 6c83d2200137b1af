"""The batch engine: many lanes, each a cache of one tree under one policy, one request of each at a time.

Lane for lane it serves requests as :mod:`kvtheory.engine.reference` does, with the same victims and the same
draws. A cache state is one int64; columns are tensors of shape (lanes, n+1); a policy's hooks are run as they
are written (:mod:`adversaries.batch.hooks`).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from adversaries.batch.candidates import Candidates
from adversaries.batch.hooks import Places, evaluate, mutate
from adversaries.batch.marks import Marks
from adversaries.batch.tables import Tables
from adversaries.batch.words import Generators, popcount
from kvtheory.errors import PolicyError
from kvtheory.model import PrefixTree
from kvtheory.policy import Policy, Trait

MOST = torch.iinfo(torch.int64).max
AGES = 40


class BatchEngine:
    """Caches of `capacity` nodes over `tree` under `policy`, one per seed.

    Args:
        tree: the prefixes, at most 62 nodes.
        capacity: nodes a cache holds, at least 1.
        policy: the eviction policy.
        seeds: the seed of each lane's draws.
        device: `cpu`, `cuda`, ...

    Attributes:
        cached: int64, shape (L,): each lane's cache, bit v for node v.
        time: requests served so far.

    Raises:
        InputError: if the tree has more than 62 nodes, or the capacity is not positive.
    """

    def __init__(
        self,
        tree: PrefixTree,
        capacity: int,
        policy: type[Policy],
        seeds: Sequence[int],
        device: str | torch.device = "cpu",
    ) -> None:
        self.tables, self.policy = Tables(tree, capacity, device), policy
        generators = Generators(seeds, self.tables.device)
        lanes, zeros = len(generators.state), self.tables.zeros
        self.lanes = torch.arange(lanes, device=self.tables.device)
        self.columns = {name: zeros(lanes, tree.n + 1) for name in policy.columns}
        self.cached, self.size = zeros(lanes), zeros(lanes)
        self.inserted, self.tie = zeros(lanes), zeros(lanes, tree.n + 1)
        self.time = 0
        self.candidates: Candidates | None = None
        self.marks: Marks | None = None
        if policy.weight is not None:
            self.candidates = Candidates(lanes, tree.n, generators)
        if Trait.PHASES in policy.traits:
            ordered = Trait.BINARY in policy.traits
            self.marks = Marks(lanes, tree.n, capacity, ordered, self.tables.device)
            self.columns["marked"] = self.marks.marked

    def serve(self, requests: Tensor, victims: list[tuple[Tensor, Tensor]] | None = None) -> Tensor:
        """Serve one request of every lane; returns its misses, int64, shape (L,).

        Args:
            requests: int64, shape (L,): nodes whose paths fit into the cache; 0 is an empty prompt.
            victims: if given, each round of evictions is appended to it: lanes, and the victim of each.

        Raises:
            PolicyError: if no candidate has positive weight, or a hook does what lanes cannot follow.
        """
        path, depth = self.tables.path[requests], self.tables.depth[requests]
        self._advance_phase(requests)
        held = popcount(self.cached & path)
        if self.candidates is not None:
            hit = self.tables.nodes[requests, held]
            left = ((self.candidates.listed >> hit) & 1).nonzero()[:, 0]
            self.candidates.leave(left, hit[left])
        self._access(requests, path, depth, held)
        while len(over := (self.size > self.tables.capacity).nonzero()[:, 0]):
            victim = self._evict(over, requests[over])
            if victims is not None:
                victims.append((over, victim))
        self._join(self.lanes, requests[:, None])
        self.time += 1
        return depth - held

    def _advance_phase(self, requests: Tensor) -> None:
        marks = self.marks
        if marks is None:
            return
        nodes = self.tables.nodes[requests]
        if Trait.FULL not in self.policy.traits:
            ended = marks.overflowing(self.lanes, nodes)
            order = marks.clear(ended)
            if marks.ordered and len(ended):
                self._join(ended, order)
        marks.mark(self.lanes, nodes)

    def _end_full_phase(self, lanes: Tensor, pinned: Tensor) -> None:
        """Under FULL, when all that may go is marked: the path of the request alone stays marked."""
        assert self.marks is not None
        order = self.marks.clear(lanes)
        self.marks.mark(lanes, self.tables.nodes[pinned])
        if self.marks.ordered:
            self._join(lanes, order.masked_fill(order == pinned[:, None], 0))

    def _access(self, requests: Tensor, path: Tensor, depth: Tensor, held: Tensor) -> None:
        """Insert what is missing and call the hooks, root to tip."""
        policy, lanes = self.policy, self.lanes
        deepest = int(depth.max()) if len(depth) else 0
        for level in range(1, deepest + 1):
            nodes = self.tables.nodes[requests, level]
            missing = (level > held) & (level <= depth)
            if policy.rank is not None:
                age = self.inserted + level - 1 - held + ((self.tables.nodes.shape[1] - level) << AGES)
                self.tie[lanes, nodes] = torch.where(missing, age, self.tie[lanes, nodes])
            places = Places(self.columns, lanes, nodes[:, None])
            if policy.on_insert is not None:
                mutate(policy.name, policy.on_insert, places, missing[:, None], self.time)
            if policy.on_access is not None:
                mutate(policy.name, policy.on_access, places, (level <= depth)[:, None], self.time)
        self.cached |= path
        self.size += depth - held
        self.inserted += depth - held

    def _evict(self, lanes: Tensor, pinned: Tensor) -> Tensor:
        """Evict one leaf of each of some lanes."""
        choose = self._draw if self.candidates is not None else self._smallest_rank
        victim = choose(lanes, pinned)
        self.cached[lanes] = self.cached[lanes] & ~self.tables.bit[victim]
        self.size[lanes] = self.size[lanes] - 1
        if self.policy.on_evict is not None:
            everywhere = torch.ones((len(lanes), 1), dtype=torch.bool, device=self.tables.device)
            places = Places(self.columns, lanes, victim[:, None])
            mutate(self.policy.name, self.policy.on_evict, places, everywhere, self.time)
        for name in self.policy.columns:
            self.columns[name][lanes, victim] = 0
        above = self.tables.parent[victim]
        self._join(lanes, above.masked_fill(above == pinned, 0)[:, None])
        return victim

    def _smallest_rank(self, lanes: Tensor, pinned: Tensor) -> Tensor:
        free = self.tables.free(self.cached[lanes], pinned)
        ranks = evaluate(self.policy.name, self.policy.rank, Places(self.columns, lanes, None), free)
        for rank in ranks:
            least = rank.masked_fill(~free, MOST).amin(1, keepdim=True)
            free &= rank == least
        return self.tie[lanes].masked_fill(~free, MOST).argmin(1)

    def _draw(self, lanes: Tensor, pinned: Tensor) -> Tensor:
        assert self.candidates is not None
        weights = self._candidate_weights(lanes)
        full = Trait.FULL in self.policy.traits
        if full and len(over := (weights.amax(1) == 0).nonzero()[:, 0]):
            self._end_full_phase(lanes[over], pinned[over])
            weights = self._candidate_weights(lanes)
        victim = self.candidates.draw(self.policy.name, lanes, weights)
        if full and bool(self.columns["marked"][lanes, victim].any()):
            raise PolicyError(f"{self.policy.name}: declares FULL, but gives weight to a marked node")
        return victim

    def _candidate_weights(self, lanes: Tensor) -> Tensor:
        assert self.candidates is not None
        nodes = self.candidates.order[lanes, :-1]
        listed = nodes > 0
        (weight,) = evaluate(self.policy.name, self.policy.weight, Places(self.columns, lanes, nodes), listed)
        return weight * listed

    def _join(self, lanes: Tensor, nodes: Tensor) -> None:
        """Append to the candidates those nodes, shape (B, m), 0 for none, that belong there."""
        if self.candidates is None:
            return
        fresh = self.tables.leaf(self.cached[lanes], nodes) & (
            ((self.candidates.listed[lanes, None] >> nodes) & 1) == 0
        )
        if Trait.BINARY in self.policy.traits:
            places = Places(self.columns, lanes, nodes)
            (weight,) = evaluate(self.policy.name, self.policy.weight, places, fresh)
            fresh &= weight > 0
        self.candidates.append(lanes, nodes, fresh)
