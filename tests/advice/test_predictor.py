"""Predictions: the truth against its definition, errors of a given size, the leaf expected last."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtheory.advice.oracle import Advice, Told, truth
from kvtheory.advice.predictor import NEVER, Expected
from kvtheory.errors import InputError
from kvtheory.model import Trace
from kvtheory.testing.instances import Instance, random_instance

ADVICE = truth(Trace.from_parents([0, 1, 1, 0], [2, 3, 4, 2, 1] * 400))


@pytest.mark.parametrize("seed", range(30))
def test_the_truth_is_the_next_request_whose_path_holds_the_node(seed: int) -> None:
    instance = random_instance(seed)
    told = Told(truth(instance.trace))
    for t, v in enumerate(instance.requests):
        later = range(t + 1, len(instance.requests))
        expected = [
            next((s for s in later if u in instance.path(instance.requests[s])), NEVER)
            for u in instance.path(v)
        ]
        assert told.predict(instance.path(v)) == expected


@pytest.mark.parametrize("kind", ["scaled", "replaced", "inverted"])
def test_no_error_is_the_truth_and_a_seed_is_repeatable(kind: str) -> None:
    make = getattr(ADVICE, kind)
    assert make(0, 1).when.tolist() == ADVICE.when.tolist()
    assert make(0.7, 5).when.tolist() == make(0.7, 5).when.tolist() != make(0.7, 6).when.tolist()
    assert (make(0.7, 5).when > ADVICE.asked).all()
    with pytest.raises(InputError, match=r"negative|not in"):
        make(-0.1, 0)


def test_scaled_waits_are_lognormal_around_the_truth() -> None:
    far = Advice(ADVICE.start, np.where(ADVICE.when == NEVER, NEVER, ADVICE.asked + 100_000))
    ratio = np.log((far.scaled(0.5, 3).when - far.asked) / far.waits())
    assert abs(ratio.mean()) < 4 * 0.5 / math.sqrt(ratio.size)
    assert abs(ratio.std() - 0.5) < 0.03


def test_replaced_are_as_many_as_said_and_half_of_them_never() -> None:
    found, n = ADVICE.replaced(0.3, 3), ADVICE.when.size
    changed = found.when != ADVICE.when
    assert abs(changed.sum() / n - 0.3) < 0.03
    assert abs((found.when[changed] == NEVER).mean() - 0.5) < 0.05


def test_inverted_what_comes_first_is_said_to_come_last() -> None:
    found = ADVICE.inverted(1, 0)
    row = slice(ADVICE.start[0], ADVICE.start[1])
    assert ADVICE.when[row].tolist() == [1, 3]
    assert found.when[row].tolist() == [2000, 1998]
    assert found.when[-1] - found.asked[-1] == 1  # never: at once


def test_the_error_is_counted_in_requests_and_never_is_the_end() -> None:
    said = Advice(np.array([0, 1, 2]), np.array([1, NEVER]))
    assert said.error(Advice(said.start, np.array([2, NEVER]))) == 1
    assert said.error(Advice(said.start, np.array([NEVER, 9]))) == 1


def test_advice_for_another_trace_is_refused() -> None:
    with pytest.raises(InputError, match="request 0 is for 1 nodes, the advice is for 2"):
        Told(ADVICE).predict([7])


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["expect", "tick", "turn", "forget", "json"]), st.integers(0, 6), st.integers(1, 12)
    ),
    max_size=80,
)


@given(STEPS)
def test_the_leaf_expected_last_is_that_of_a_scan(steps: list[tuple[str, int, int]]) -> None:
    heap, leaves, offered = Expected(), set[int](), dict[int, int]()
    when: dict[int, tuple[int, int]] = {}
    heap.tick()
    now = clock = 0
    for step, v, wait in steps:
        if step == "tick":
            heap.tick()
            now += 1
        elif step == "expect":
            leaves.discard(v)
            when[v] = NEVER if wait == 12 else now + wait - 1, now
            heap.expect(v, when[v][0])
        elif step == "turn" and v in when and v not in leaves:
            clock += 1
            leaves.add(v)
            offered[v] = clock
            heap.offer(v)
        elif step == "forget":
            when.pop(v, None)
            leaves.discard(v)
            heap.forget(v)
        elif step == "json":
            other = Expected()
            other.restore(json.loads(json.dumps(heap.snapshot())))
            heap = other

        def rank(u: int, now: int = now) -> tuple[int, bool, int, int]:
            due, last = when[u]
            late = due <= now
            return 2 * now - last if late else due, late, -last if late else 0, -offered[u]

        assert heap.last(leaves) == max(leaves, key=rank, default=None)
    assert len(heap) == len(when)


def test_what_is_overdue_is_expected_after_as_long_again() -> None:
    heap = Expected()
    heap.tick()
    heap.expect(1, 2)  # said to come at 2, and does not
    heap.expect(2, 9)
    heap.offer(1)
    heap.offer(2)
    last = []
    for _ in range(6):
        heap.tick()
        last.append(heap.last({1, 2}))
    assert last == [2, 2, 2, 2, 1, 1]  # at 5 it is expected at 10


def test_instances_with_empty_prompts_have_advice() -> None:
    instance = Instance((0,), 1, (0, 1, 0, 1))
    told = Told(truth(instance.trace))
    assert [told.predict(instance.path(v)) for v in instance.requests] == [[], [3], [], [NEVER]]
