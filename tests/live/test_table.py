"""The live table serves one request at a time exactly as the reference engine does, victim for victim."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from kvtheory.engine.reference import ReferenceEngine
from kvtheory.live.table import NodeTable
from kvtheory.model import PrefixTree, Trace
from kvtheory.policy import Policy
from kvtheory.registry import policies
from kvtheory.testing.strategies import seeds, traces

NAMES = sorted(policies())


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
@settings(max_examples=60, deadline=None)
@given(case=traces(max_nodes=12, max_requests=60), seed=seeds())
def test_table_is_the_reference_engine(name: str, case: tuple[Trace, int], seed: int) -> None:
    (trace, _), capacity = case[0].cut(case[1]), case[1]
    reference = ReferenceEngine(trace.tree, capacity, policies()[name], seed)
    player = Player(trace.tree, capacity, policies()[name], seed)
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
