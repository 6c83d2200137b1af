"""The hedge: its shadows against engines that know no hedge, and whom it follows when."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np
import pytest

from kvtheory.engine.kernel import replay
from kvtheory.engine.object_reference import ObjectReference
from kvtheory.engine.reference import ReferenceEngine
from kvtheory.hedge import Hedge, RecentLeaf, Shadow
from kvtheory.model import PrefixTree
from kvtheory.object_policy import Key, ObjectPolicy, reads
from kvtheory.policies.arc import ARC
from kvtheory.policies.hedged_odds import HedgedOdds
from kvtheory.policies.lru import LeafLRU
from kvtheory.policies.return_odds import ReturnOdds
from kvtheory.rng import SplitMix64
from kvtheory.testing.instances import Instance, random_instance, star
from kvtheory.testing.object_probes import Credulous


class NewestLeaf(ObjectPolicy):
    """Evicts what became a leaf last."""

    name = "newest_leaf"

    def victim(self, leaves: Collection[Key]) -> Key | None:
        return list(leaves)[-1]


class HedgedNewest(Hedge):
    """Follows it while it may."""

    name = "hedged_newest"
    leader = NewestLeaf


def drawn(seed: int) -> Instance:
    """A random tree, and more requests than nodes."""
    return random_instance(seed, max_nodes=12, max_requests=80)


@pytest.mark.parametrize("seed", range(25))
def test_the_shadow_of_leaf_lru_is_leaf_lru(seed: int) -> None:
    instance = drawn(seed)
    shadow = Shadow(RecentLeaf, instance.capacity, SplitMix64(0))
    engine = ReferenceEngine(instance.tree, instance.capacity, LeafLRU)
    misses = 0
    for v in instance.requests:
        hit, victims = engine.serve(v)
        assert shadow.serve(instance.path(v)) == victims
        misses += instance.depth[v] - instance.depth[hit]
    assert shadow.misses == misses


@pytest.mark.parametrize("policy", [ARC, ReturnOdds, NewestLeaf])
def test_a_shadow_evicts_what_the_engine_evicts(policy: type[ObjectPolicy]) -> None:
    for seed in range(25):
        instance = drawn(seed)
        shadow = Shadow(policy, instance.capacity, SplitMix64(0))
        engine = ObjectReference(instance.tree, instance.capacity, policy)
        assert [shadow.serve(instance.path(v)) for v in instance.requests] == engine.run(instance.requests)[1]


def test_while_the_leader_leads_its_victims_are_the_hedges() -> None:
    for seed in range(25):
        instance = drawn(seed)
        hedge = ObjectReference(instance.tree, instance.capacity, HedgedOdds)
        alone = ObjectReference(instance.tree, instance.capacity, ReturnOdds)
        assert hedge.run(instance.requests) == alone.run(instance.requests)
        assert isinstance(hedge.mind, Hedge)
        assert hedge.mind.switches == 0


def test_the_leader_of_a_hedge_hears_what_requests_say() -> None:
    policy = type("HedgedCredulous", (Hedge,), {"name": "hedged_credulous", "leader": Credulous})
    rules = (policy, Credulous, RecentLeaf)
    assert reads(policy) == Credulous.reads
    requests = (1, 2, 3, 4, 1, 2, 3, 4, 1)
    trace = replace(
        Instance(star(4), 3, requests).trace, columns={"priority": np.array([9, 8, 1, 7, 9, 8, 1, 7, 9])}
    )
    hits = [replay(trace, 3, rule).hit.tolist() for rule in rules]
    assert hits[0] == hits[1] != hits[2]


def test_it_leaves_the_leader_after_two_capacities_and_returns_when_even() -> None:
    tree, k = PrefixTree.from_parents(star(6)), 2
    engine = ObjectReference(tree, k, HedgedNewest)
    hedge = engine.mind
    assert isinstance(hedge, Hedge)
    engine.run([1, 2])
    lost = []
    for v in [3, 4] * 8:  # the leader keeps 1 for ever and misses each time
        engine.serve(v)
        lost.append((hedge.led.misses - hedge.safe.misses, hedge.leading))
    first = next(i for i, (_, leading) in enumerate(lost) if not leading)
    assert lost[first - 1][0] == 2 * k
    assert all(ahead < 2 * k for ahead, _ in lost[: first - 1])
    assert lost[-1][0] > 2 * k  # following leaf-LRU, the cache is as good as leaf-LRU from here
    assert set(engine.cached) == set(hedge.safe.parent) == {3, 4}
    for v in [1, 3, 4] * 20:  # leaf-LRU misses each time
        engine.serve(v)
    assert hedge.leading
    assert hedge.switches == 2


def test_nothing_is_lost_to_the_one_that_is_followed_but_a_capacity_a_switch() -> None:
    tree, k = PrefixTree.from_parents(star(6)), 3
    engine = ObjectReference(tree, k, HedgedNewest)
    hedge = engine.mind
    assert isinstance(hedge, Hedge)
    missed = followed = 0
    for block in range(60):
        for v in [4, 5] * 5 if block // 5 % 2 == 0 else [1, 2, 3, 6] * 5:
            before = {True: hedge.led.misses, False: hedge.safe.misses}
            missed += engine.serve(v)[0] == 0
            followed += hedge.followed.misses - before[hedge.leading]
    assert hedge.switches >= 2
    assert missed <= followed + k * hedge.switches
    assert missed <= 3 * min(hedge.led.misses, hedge.safe.misses) + 4 * k
