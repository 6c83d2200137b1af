"""One request at a time, the engine's hits are the simulator's, request for request."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpu_validation.engine import Engine, Job
from gpu_validation.prompts import Prompts, shorten
from kvtheory.engine.kernel import replay
from kvtheory.model import Trace
from kvtheory.registry import policies
from kvtheory.sources import generate

TRACE = Path(__file__).parents[3] / "shared" / "traces" / "mooncake_conversation.jsonl"
NAMES = sorted(policies())


def hits(engine: Engine, trace: Trace) -> list[int]:
    """Blocks that the engine found cached, for each request."""
    prompts = Prompts(engine.block, engine.vocabulary)
    jobs = [Job(prompts.tokens(trace.tree, v, i)) for i, v in enumerate(trace.requests.tolist())]
    served = engine.serve(jobs)
    assert all(s.cached_tokens % engine.block == 0 for s in served)
    return [s.cached_tokens // engine.block for s in served]


def simulated(engine: Engine, trace: Trace, name: str, seed: int) -> list[int]:
    """Blocks that the simulator finds cached, for each request."""
    found = replay(trace, engine.capacity, policies()[name], seed)
    return [int(depth) for depth in trace.tree.depth[found.hit]]


def agree(engine: Engine, trace: Trace, name: str, seed: int) -> None:
    engine.switch(name, seed)
    engine_hits = hits(engine, trace)
    engine.pool.check()
    expected = simulated(engine, trace, name, seed)
    assert engine_hits == expected
    assert sum(expected) < int(trace.depths.sum())
    status = engine.status()
    assert status is not None
    assert status["unplanned"] == status["rescues"] == status["early_phases"] == 0


ORDERS = [("random", name) for name in NAMES] + [
    (order, name) for order in ("grouped", "round_robin") for name in ("lru", "rlt")
]


@pytest.mark.parametrize(("order", "name"), ORDERS)
def test_generated_shared_prefixes(engine: Engine, order: str, name: str) -> None:
    trace = shorten(generate(f"gsp:groups=10,prompts=6,block=256,order={order},seed=3"), deepest=40)
    agree(engine, trace, name, seed=11)


@pytest.mark.skipif(not TRACE.exists(), reason="the Mooncake trace is not here")
@pytest.mark.parametrize("name", NAMES)
def test_real_trace(engine: Engine, name: str) -> None:
    from kvtheory.traces import read_trace

    agree(engine, shorten(read_trace(TRACE), requests=80, deepest=30), name, seed=5)


def test_stock_vllm_is_our_lru(engine: Engine) -> None:
    trace = shorten(generate("gsp:groups=10,prompts=7,block=256,order=random,seed=4"), deepest=40)
    engine.switch(None)
    stock = hits(engine, trace)
    assert stock == simulated(engine, trace, "lru", 0)


def test_a_seed_repeats_and_another_differs(engine: Engine) -> None:
    trace = shorten(generate("cyclic:prompts=9,blocks=9,requests=60"))
    runs = []
    for seed in (1, 1, 2):
        engine.switch("rlt", seed)
        runs.append(hits(engine, trace))
    assert runs[0] == runs[1] != runs[2]
