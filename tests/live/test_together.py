"""Requests that run at the same time, without an engine; `tests/on_vllm` holds the same model to vLLM."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from profiles import examples

from kvtheory.engine.kernel import replay
from kvtheory.errors import InputError
from kvtheory.live.together import hits_together
from kvtheory.model import Trace
from kvtheory.registry import every_policy, policies
from kvtheory.sources import generate
from kvtheory.testing.strategies import traces


@pytest.mark.parametrize("name", sorted(every_policy()))
@settings(max_examples=examples(30), deadline=None)
@given(instance=traces(), seed=st.integers(0, 3))
def test_one_at_a_time_is_the_simulator(name: str, instance: tuple[Trace, int], seed: int) -> None:
    trace, capacity = instance
    if int(trace.depths.max(initial=0)) > capacity:
        return
    simulated = trace.tree.depth[replay(trace, capacity, every_policy()[name], seed).hit]
    assert (
        hits_together(trace, every_policy()[name], capacity + 1, 1, seed=seed).tolist() == simulated.tolist()
    )


@pytest.fixture(scope="module")
def shared() -> Trace:
    return generate("gsp:groups=8,prompts=8,block=256,order=random,seed=3")


def test_room_for_all_hits_what_was_asked_before(shared: Trace) -> None:
    """With every block to spare, a request hits exactly what earlier ones brought, whoever runs."""
    seen: set[int] = set()
    expected = []
    for v in shared.requests.tolist():
        path = shared.tree.path(v)
        expected.append(sum(u in seen for u in path))
        seen.update(path)
    for together in (1, 4, 64):
        found = hits_together(shared, policies()["rlt"], shared.tree.n + 64, together, outputs=3)
        assert found.tolist() == expected


def test_whoever_runs_keeps_its_blocks() -> None:
    """Two chains of 3 and room for 8 blocks: one alone leaves room for 7 nodes, both together for 6."""
    trace = generate("cyclic:prompts=2,blocks=3,requests=10")
    lru = policies()["lru"]
    assert hits_together(trace, lru, 8, 2).tolist() == [0, 0] + [3] * 8
    # and in 7 blocks the second waits until the first is done, then takes one of its blocks
    assert hits_together(trace, lru, 7, 2).tolist() == [0, 0] + [3] * 8
    # six blocks hold one prompt and the half of another: the order of service decides
    assert hits_together(trace, lru, 6, 2).tolist() == hits_together(trace, lru, 6, 1).tolist()


def test_bad_numbers(shared: Trace) -> None:
    lru = policies()["lru"]
    with pytest.raises(InputError, match="does not fit 8 blocks"):
        hits_together(shared, lru, 8, 2)
    for blocks, together, outputs in ((1, 1, 1), (99, 0, 1), (99, 1, 0)):
        with pytest.raises(InputError, match="must be positive"):
            hits_together(shared, lru, blocks, together, outputs=outputs)
    for outputs in (np.array([1, 2]), 2.7):
        with pytest.raises(InputError, match="whole number"):
            hits_together(shared, lru, 99, 1, outputs=outputs)
    with pytest.raises(InputError, match="must be positive"):
        hits_together(shared, lru, 99, 1, outputs=np.zeros(len(shared), np.int32))
