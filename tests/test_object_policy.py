"""Policies that are objects: their queues, what a snapshot can hold, and the commands that refuse them."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtheory.cli import run
from kvtheory.engine.kernel import replay
from kvtheory.errors import InputError, PolicyError
from kvtheory.leaf_queue import LeafHeap, LeafQueue
from kvtheory.object_policy import ObjectPolicy
from kvtheory.policies.arc import ARC
from kvtheory.policies.dbl import DBL
from kvtheory.registry import every_policy, policies, policy_with_columns
from kvtheory.rng import SplitMix64
from kvtheory.testing.instances import Instance, star

STEPS = st.lists(
    st.tuples(st.sampled_from(["push", "discard", "turn", "pop"]), st.integers(0, 9)), max_size=60
)


@given(STEPS)
def test_a_leaf_queue_is_a_list_with_a_filter(steps: list[tuple[str, int]]) -> None:
    queue, plain, leaves = LeafQueue[int](), list[int](), set[int]()
    for step, key in steps:
        if step == "turn" and key in leaves:
            leaves.remove(key)
        elif step == "turn":
            leaves.add(key)
            queue.offer(key)
        elif step == "pop":
            if plain:
                assert queue.pop() == plain.pop(0)
        else:
            if key in plain:
                plain.remove(key)
            if step == "push":
                queue.push(key)
                plain.append(key)
            else:
                queue.discard(key)
        assert list(queue) == plain
        assert len(queue) == len(plain)
        assert queue.first(leaves) == next((k for k in plain if k in leaves), None)


@given(STEPS)
def test_a_leaf_heap_is_a_minimum_with_a_filter(steps: list[tuple[str, int]]) -> None:
    heap, plain, leaves = LeafHeap[int](), dict[int, tuple[int, int]](), set[int]()
    for time, (step, key) in enumerate(steps):
        if step == "turn" and key in leaves:
            leaves.remove(key)
        elif step == "turn":
            leaves.add(key)
            heap.offer(key)
        elif step == "push":
            plain[key] = (key * 7 % 3, time)
            heap.push(key, plain[key])
        else:
            plain.pop(key, None)
            heap.discard(key)
        assert dict(heap) == plain
        free = [k for k in plain if k in leaves]
        assert heap.first(leaves) == min(free, key=plain.__getitem__, default=None)


def test_queues_stay_small() -> None:
    queue, heap = LeafQueue[int](), LeafHeap[int]()
    for i in range(20_000):
        queue.push(i % 5)
        heap.push(i % 5, (i,))
    assert len(queue._offered) < 2000
    assert len(heap._offered) < 2000
    assert queue.first({3}) == heap.first({3}) == 3


class Odd(ObjectPolicy):
    """Holds what no snapshot can."""

    name = "odd"

    def __init__(self, capacity: int, rng: SplitMix64) -> None:
        super().__init__(capacity, rng)
        self.dice = random.Random(0)


def test_a_snapshot_refuses_what_it_cannot_hold() -> None:
    with pytest.raises(PolicyError, match="'dice' is a Random, which no snapshot can hold"):
        Odd(1, SplitMix64(0)).snapshot()


def test_an_object_needs_a_name() -> None:
    with pytest.raises(PolicyError, match="needs a name"):
        type("Nameless", (ObjectPolicy,), {})


class Stubborn(ObjectPolicy):
    """Names what is on the path."""

    name = "stubborn_here"

    def on_request(self, path: object, cached: object) -> None:
        self.path = path

    def victim(self, leaves: object) -> int:
        return int(self.path[0])  # type: ignore[index]


def test_a_wrong_victim_is_an_error() -> None:
    with pytest.raises(PolicyError, match="names 2 in request 1, which may not go"):
        replay(Instance(star(2), 1, (1, 2)).trace, 1, Stubborn)


def test_the_border_of_arc_moves_and_that_of_dbl_does_not() -> None:
    """1 and 2 are seen again, 3 to 6 pass and leave ghosts in B1; 3 returns, so T1 was too small."""
    requests = (1, 2, 1, 2, 3, 4, 5, 6, 3)
    minds: dict[type[ARC], list[float]] = {ARC: [], DBL: []}
    for policy, seen in minds.items():
        import numpy as np

        from kvtheory.engine.objects import replay_object

        trace, hit = Instance(star(6), 4, requests).trace, np.empty(9, np.int32)
        replay_object(
            trace, 4, policy, 0, hit, np.empty(0, np.int32), lambda mind, seen=seen: seen.append(mind.p)
        )
    assert minds[ARC] == [0.0] * 8 + [1.0]
    assert minds[DBL] == [2.0] * 9


def test_both_kinds_are_known_and_only_one_has_columns() -> None:
    assert every_policy()["arc"] is ARC
    assert "arc" not in policies()
    assert policy_with_columns("lru") is policies()["lru"]
    with pytest.raises(InputError, match="'arc' has memory of its own"):
        policy_with_columns("arc")
    with pytest.raises(InputError, match="did you mean 'arc'"):
        policy_with_columns("arcc")


@pytest.mark.parametrize(
    "words",
    [
        ["exact", "--tree", "star:3", "--capacity", "2", "--policy", "arc"],
        ["atlas", "--nodes", "2", "--policies", "lru,arc"],
        ["search", "--tree", "star:3", "--capacity", "2", "--policy", "arc", "-o", "worst.jsonl"],
        ["ratio", "adaptive:policy=arc", "--capacity", "4"],
    ],
)
def test_commands_that_list_states_refuse_it_in_one_line(
    words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.chdir(str(tmp_path))
    assert run(words) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "'arc' has memory of its own, not columns" in said


def test_the_listing_shows_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["policies"]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("arc "))
    assert line.split()[:3] == ["arc", "no", "object"]
