"""The engine's hits are the simulator's, request for request: one at a time, and several together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gpu_validation.engine import Engine, Job
from gpu_validation.prompts import Prompts, abouts, shorten, with_lengths
from kvtheory.engine.kernel import replay
from kvtheory.live.together import hits_together
from kvtheory.model import Trace
from kvtheory.registry import every_policy
from kvtheory.sources import generate

TRACE = Path(__file__).parents[3] / "shared" / "traces" / "mooncake_conversation.jsonl"
NAMES = sorted(every_policy())


def jobs_of(engine: Engine, trace: Trace, outputs: list[int]) -> list[Job]:
    """The prompts of a trace, and what its requests say of themselves."""
    prompts, about = Prompts(engine.block, engine.vocabulary), abouts(with_lengths(trace, engine.block))
    return [
        Job(prompts.tokens(trace.tree, v, i), outputs[i], about=about[i])
        for i, v in enumerate(trace.requests.tolist())
    ]


def talkative(trace: Trace) -> Trace:
    """The trace whose requests say more of themselves."""
    rng, count = np.random.default_rng(8), len(trace)
    columns = {
        "timestamp": np.cumsum(rng.exponential(2.0, count)),
        "session": rng.integers(0, 9, count),
        "priority": rng.integers(-2, 3, count),
        "type": rng.integers(0, 3, count),
    }
    return replace(trace, columns={**columns, **trace.columns})


def hits(engine: Engine, trace: Trace) -> list[int]:
    """Blocks that the engine found cached, for each request."""
    served = engine.serve(jobs_of(engine, trace, [1] * len(trace)))
    assert all(s.cached_tokens % engine.block == 0 for s in served)
    return [s.cached_tokens // engine.block for s in served]


def hits_at_once(engine: Engine, trace: Trace, together: int, outputs: list[int]) -> list[int]:
    """Blocks that the engine found cached, for each request of a batch that changes from step to step."""
    jobs = jobs_of(engine, trace, outputs)
    return [s.cached_tokens // engine.block for s in engine.serve(jobs, together=together)]


def simulated(engine: Engine, trace: Trace, name: str, seed: int) -> list[int]:
    """Blocks that the simulator finds cached, for each request."""
    found = replay(with_lengths(trace, engine.block), engine.capacity, every_policy()[name], seed)
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
    agree(engine, talkative(trace), name, seed=11)


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


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("together", [3, 8])
def test_several_together(engine: Engine, name: str, together: int) -> None:
    """Pins, partial blocks, waiting for room and the moment of eviction explain the whole difference."""
    trace = talkative(shorten(generate("gsp:groups=10,prompts=9,block=256,order=random,seed=5"), deepest=40))
    outputs = np.random.default_rng(together).integers(1, engine.block - 8, len(trace))
    engine.switch(name, seed=13)
    found = hits_at_once(engine, trace, together, outputs.tolist())
    engine.pool.check()
    alone = simulated(engine, trace, name, seed=13)
    usable = engine.blocks - 1
    assert (
        found
        == hits_together(
            with_lengths(trace, engine.block),
            every_policy()[name],
            usable,
            together,
            outputs=outputs,
            seed=13,
        ).tolist()
    )
    assert found != alone, "the batch made no difference: the test tests nothing"
