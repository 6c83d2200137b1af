"""A live cache under an object, while requests overlap: what it offers and remembers is what is cached."""

from __future__ import annotations

import numpy as np
import pytest

from kvtheory.engine.node_table import NodeTable
from kvtheory.errors import PolicyError
from kvtheory.model import PrefixTree
from kvtheory.object_policy import ObjectPolicy
from kvtheory.policies.arc import ARC
from kvtheory.registry import every_policy
from kvtheory.testing.object_probes import AnyLeaf

OBJECTS = sorted(name for name, policy in every_policy().items() if issubclass(policy, ObjectPolicy))


def check(table: NodeTable[int]) -> None:
    """Exactly the cached leaves that nobody uses are offered."""
    arrays = table._table
    free = {
        key
        for key, slot in table._slot.items()
        if arrays.resident[slot] and not arrays.children[slot] and not arrays.pins[slot]
    }
    assert set(table._kernel.leaves) == free
    assert table.counters["candidates"] == len(free)


@pytest.mark.parametrize("name", OBJECTS)
def test_overlapping_requests_chunks_and_drops(name: str) -> None:
    rng = np.random.default_rng(3)
    tree = PrefixTree.from_parents([int(rng.integers(0, v)) for v in range(1, 60)])
    capacity = 25
    table: NodeTable[int] = NodeTable(every_policy()[name], capacity, capacity + 1, 1)
    running: list[list[int]] = []
    for _ in range(400):
        path = tree.path(int(rng.integers(1, tree.n + 1)))
        used = {v for other in running for v in other}
        if len(running) < 3 and len(used | set(path)) <= capacity:
            slots = table.slots(path)
            first = int(rng.integers(1, len(path) + 1))  # the rest of the prompt comes in with a later chunk
            table.serve(slots[:first], slots[:first], first)
            table.evict(max(0, len(table) - capacity))
            check(table)
            table.grow(slots[first:])
            table.pin(slots[first:])
            assert all(v not in used | set(path) for v in table.evict(max(0, len(table) - capacity)))
            running.append(path)
        elif running:
            done = running.pop(int(rng.integers(0, len(running))))
            table.release(table.known(done[::-1]))
        check(table)
        assert len(table) <= capacity
        if rng.integers(0, 10) == 0 and table._kernel.leaves:
            table.drop(next(iter(table._kernel.leaves)))
            check(table)


def test_what_arc_remembers_is_what_is_cached() -> None:
    table: NodeTable[bytes] = NodeTable(ARC, 3, 4)
    for name in (b"a", b"b", b"c", b"a", b"d"):
        slots = table.slots([name])
        table.serve(slots, slots, 1)
        table.evict(max(0, len(table) - 3))
        table.release(slots)
    state = table._kernel.mind.snapshot()
    assert (state["t1"], state["t2"], state["b1"]) == (
        [b"c".hex(), b"d".hex()],
        [b"a".hex()],
        [[b"b".hex(), None]],
    )
    table.clear()
    assert table._kernel.mind.snapshot()["t1"] == []
    assert not table._kernel.leaves


def test_draws_go_on_where_they_stood() -> None:
    table: NodeTable[int] = NodeTable(AnyLeaf, 2, 3, 5)
    assert table.random_state == 5
    slots = table.slots([1])
    table.serve(slots, slots, 1)
    table.release(slots)
    table.evict(1)
    stood = table.random_state
    assert stood != 5
    table.clear(seed=stood)
    assert table.random_state == stood


class Stubborn(ObjectPolicy):
    """Names a node that is not there."""

    name = "stubborn"

    def victim(self, leaves: object) -> int:
        return -1


def test_a_wrong_victim_is_an_error() -> None:
    table: NodeTable[int] = NodeTable(Stubborn, 1, 2)
    slots = table.slots([5])
    table.serve(slots, slots, 1)
    table.release(slots)
    with pytest.raises(PolicyError, match="stubborn: names -1, which may not go"):
        table.evict(1)
    assert table.evict(0) == []
