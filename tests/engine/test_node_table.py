"""The live table serves one request at a time exactly as the reference engine does, victim for victim."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from profiles import examples

from kvtheory.engine.node_table import NodeTable
from kvtheory.engine.object_reference import reference_engine
from kvtheory.engine.reference import ReferenceEngine
from kvtheory.model import PrefixTree, Trace
from kvtheory.policy import Policy, Trait
from kvtheory.registry import every_policy, policies
from kvtheory.testing.strategies import seeds, traces

NAMES = sorted(every_policy())


class Player:
    """Serves whole requests on a table, as an engine with one running request would."""

    def __init__(self, tree: PrefixTree, capacity: int, policy: type[Policy], seed: int) -> None:
        self.table = NodeTable(policy, capacity, capacity + 1, seed)
        self.tree, self.capacity = tree, capacity

    def serve(self, v: int) -> tuple[int, list[int]]:
        path = [int(u) for u in self.tree.path(v)]
        hit = max((u for u in path if u in self.table), default=0)
        slots = self.table.slots(path)
        self.table.serve(slots, slots, len(path))
        victims = self.table.evict(max(0, len(self.table) - self.capacity))
        self.table.release(slots[::-1])
        return hit, victims


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=examples(60), deadline=None)
@given(case=traces(max_nodes=12, max_requests=60), seed=seeds())
def test_table_is_the_reference_engine(name: str, case: tuple[Trace, int], seed: int) -> None:
    (trace, _), capacity = case[0].cut(case[1]), case[1]
    policy = every_policy()[name]
    reference = reference_engine(policy)(trace.tree, capacity, policy, seed)
    player = Player(trace.tree, capacity, every_policy()[name], seed)
    for v in trace.requests.tolist():
        assert player.serve(v) == reference.serve(v)
        assert {u for u in range(1, trace.tree.n + 1) if u in player.table} == reference.cached
    alive = len(player.table._slot)
    marks = sum(reference.columns.marked)
    assert alive <= len(reference.cached) + marks, "a slot leaked"


def test_a_long_replay_leaks_no_slot_and_repeats() -> None:
    rng = np.random.default_rng(5)
    parents = [-1] + [int(rng.integers(0, v)) for v in range(1, 400)]
    tree = PrefixTree(np.array(parents, np.int32))
    requests = rng.integers(1, tree.n + 1, 4000).tolist()
    capacity = int(tree.depth.max()) + 60
    runs = []
    for _ in range(2):
        player = Player(tree, capacity, policies()["rlt"], 7)
        runs.append([player.serve(v) for v in requests])
        assert len(player.table) == capacity
        assert player.table.counters["rescues"] == player.table.counters["early_phases"] == 0
    reference = ReferenceEngine(tree, capacity, policies()["rlt"], 7)
    assert runs[0] == runs[1] == [reference.serve(v) for v in requests]


def test_draws_begin_at_seed_0_unless_it_is_said() -> None:
    def order(*seed: int) -> list[str]:
        table: NodeTable[str] = NodeTable(policies()["random"], 8, 10, *seed)
        for key in "abcdefgh":
            (slot,) = slots = table.slots([key])
            assert slot
            table.serve(slots, slots, 1)
            table.release(slots)
        return table.evict(8)

    assert order() == order(0)
    assert order() != order(1)


@pytest.mark.parametrize("name", [n for n, policy in policies().items() if Trait.RECENCY in policy.traits])
def test_the_heap_of_a_recency_policy_is_the_scan(name: str) -> None:
    """Requests that overlap, marks ahead of the blocks, nodes that are generated and never marked."""
    policy = policies()[name]
    scan = type("Scan", (policy,), {"traits": policy.traits & ~(Trait.RECENCY | Trait.TOUCH)})
    rng = np.random.default_rng(0)
    for _ in range(300):
        n, together = int(rng.integers(4, 13)), int(rng.integers(1, 4))
        parents = [int(rng.integers(0, v)) if rng.random() < 0.5 else 0 for v in range(1, n + 1)]
        tree = PrefixTree.from_parents(parents)
        capacity = int(rng.integers(tree.height, n + 1))
        requests, lags = rng.integers(1, n + 1, 40).tolist(), rng.integers(0, 3, (40, 2)).tolist()
        tables = [NodeTable[int](p, capacity, capacity * (together + 1) + 1) for p in (policy, scan)]
        assert overlapping(tables[0], tree, requests, lags, together) == overlapping(
            tables[1], tree, requests, lags, together
        )


def overlapping(
    table: NodeTable[int], tree: PrefixTree, requests: list[int], lags: list[list[int]], together: int
) -> list[list[int]]:
    """Victims of requests that end when `together` run; lags: nodes that are not marked, that come later."""
    victims, running = [], []
    for v, (unmarked, later) in zip(requests, lags, strict=True):
        path = [int(u) for u in tree.path(v)]
        hit = sum(u in table for u in path)
        ahead = max(len(path) - unmarked, hit)
        now = max(min(ahead, len(path) - later), hit - (hit == len(path)))  # the last block is computed anew
        slots = table.slots(path)
        table.serve(slots[:ahead], slots[:now], now)
        victims.append(table.evict(max(0, len(table) - table.capacity)))
        slots = table.slots(path)  # what is not in use may have been evicted
        table.grow(slots[now:])
        table.pin(slots[now:])
        running.append(slots)
        if len(running) == together:
            table.release(running.pop(0)[::-1])
    return [*victims, table.evict(len(table))]
