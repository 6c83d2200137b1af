"""Flat pagers on trees: never more misses than the pager, and leaf-LRU where the pager is LRU."""

from __future__ import annotations

from typing import Any

import pytest

from kvtheory.engine.kernel import replay
from kvtheory.object_policy import Key
from kvtheory.policies.lru import LeafLRU
from kvtheory.policies.partition import Partition, PartitionPager
from kvtheory.policies.primal_dual import PrimalDual
from kvtheory.rng import SplitMix64
from kvtheory.testing.contract import run_contract
from kvtheory.testing.instances import random_instance
from kvtheory.testing.subject import Subject
from kvtheory.transfer import Pager, Shade, Transferred


class Listed(Pager):
    """A pager whose pages are a list, its next victim in front."""

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self.pages: list[Key] = []

    def __contains__(self, key: object) -> bool:
        return key in self.pages

    def place(self, v: Key, rng: SplitMix64) -> None:
        if v not in self.pages:
            self.pages.append(v)

    def serve(self, path: Any, rng: SplitMix64) -> list[Key]:
        before = list(self.pages)
        for v in path:
            self.place(v, rng)
        while len(self.pages) > self.capacity:
            self.pages.remove(next(v for v in self.pages if v not in path))
        return [v for v in before if v not in self.pages]


class Recent(Listed):
    """LRU, the path walked down and up."""

    def serve(self, path: Any, rng: SplitMix64) -> list[Key]:
        found = super().serve(path, rng)
        for v in reversed(path):
            self.pages.remove(v)
            self.pages.append(v)
        return found


class Shuffled(Listed):
    """A new page anywhere in the list."""

    def place(self, v: Key, rng: SplitMix64) -> None:
        if v not in self.pages:
            self.pages.insert(rng.below(len(self.pages) + 1), v)


class Roots(Listed):
    """Evicts what is nearest to the root, which no tree allows."""

    def serve(self, path: Any, rng: SplitMix64) -> list[Key]:
        for depth, v in enumerate(path):
            self.depth = getattr(self, "depth", {})
            self.depth[v] = depth
        self.pages.sort(key=lambda v: self.depth[v])
        return super().serve(path, rng)


class TreeRecent(Transferred):
    """LRU, transferred."""

    name = "tree_recent"
    pager = Recent


INSTANCES = [random_instance(seed, max_nodes=14, max_requests=80) for seed in range(60)]


@pytest.mark.parametrize("pager", [Listed, Recent, Shuffled, Roots, PartitionPager, PrimalDual.pager])
def test_the_closed_set_misses_no_more_than_the_pager(pager: type[Pager]) -> None:
    """After every request; and the debts are as the proof says."""
    inner = 0
    for seed, instance in enumerate(INSTANCES):
        flat, shade, rng = pager(instance.capacity), Shade(), SplitMix64(seed)
        nodes = range(1, len(instance.parents) + 1)
        paid = owed = 0
        for v in filter(None, instance.requests):
            path = instance.path(v)
            owed += sum(u not in flat for u in path)
            paid += sum(u not in shade.closed for u in path)
            evicted = list(flat.serve(path, rng))
            shade.follow(flat, path, evicted)
            held, closed = {u for u in nodes if u in flat}, set(shade.closed.parent)
            inner += any(instance.parents[u - 1] in evicted for u in held)
            assert paid <= owed
            assert set(path) <= held & closed
            assert not set(evicted) & held
            assert all(instance.parents[u - 1] in {0, *closed} for u in closed)
            assert len(closed) <= len(held) <= instance.capacity
            assert closed - held == set(shade.owes) == set(shade.owed.values())
            assert all(u in held - closed and w in instance.path(u)[:-1] for u, w in shade.owed.items())
            assert shade.owes == {w: u for u, w in shade.owed.items()}
    assert (inner > 0) == (pager is not Recent)


@pytest.mark.parametrize("policy", [Partition, PrimalDual, TreeRecent])
def test_the_policy_misses_no_more_than_its_pager(policy: type[Transferred]) -> None:
    for seed, instance in enumerate(INSTANCES):
        flat, rng, owed = policy.pager(instance.capacity), SplitMix64(seed), 0
        for v in filter(None, instance.requests):
            owed += sum(u not in flat for u in instance.path(v))
            flat.serve(instance.path(v), rng)
        assert instance.misses(replay(instance.trace, instance.capacity, policy, seed).hit.tolist()) <= owed


def test_flat_lru_transferred_is_leaf_lru() -> None:
    for instance in INSTANCES:
        assert Subject(TreeRecent).run(instance) == Subject(LeafLRU).run(instance)


def test_a_transferred_policy_meets_the_contract() -> None:
    run_contract(TreeRecent, examples=5)
