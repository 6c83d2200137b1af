"""The templates are modules of their own: with the stand-ins they import, they are leaf-LRU."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from hypothesis import given

from kvtheory.engine.kernel import replay
from kvtheory.engine.templates import fleet, lists, live, ranked, steps, weighted
from kvtheory.model import Trace
from kvtheory.policies.lru import LeafLRU
from kvtheory.testing.strategies import traces


@pytest.mark.skipif(not numba.config.DISABLE_JIT, reason="compiles what nobody else would run")
@given(played=traces(max_nodes=8, max_requests=20))
def test_the_ranked_template_is_leaf_lru(played: tuple[Trace, int]) -> None:
    trace, capacity = played
    trace, _ = trace.cut(capacity)
    hit, victims = np.empty(len(trace), np.int32), np.empty(trace.accesses, np.int32)
    tree = trace.tree
    evictions = ranked.replay(tree.parent, tree.depth, trace.requests, capacity, 0, hit, victims)
    expected = replay(trace, capacity, LeafLRU, victims=True)
    assert hit.tolist() == expected.hit.tolist()
    assert victims[:evictions].tolist() == expected.victims.tolist()


def test_each_template_has_its_entry() -> None:
    entries = (ranked.replay, weighted.replay, lists.replay, steps.serve_all, live.serve, fleet.serve)
    assert all(callable(entry) for entry in entries)
