"""Every policy serves a mixed workload as stock vLLM does: the same tokens, no block lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from mixed_jobs import mixed

from gpu_validation.engine import Engine, Job
from kvtheory.registry import every_policy

NAMES = sorted(every_policy())


@pytest.fixture(scope="module")
def jobs(engine: Engine) -> list[Job]:
    return mixed(1, 60, engine.block)


@pytest.fixture(scope="module")
def stock(engine: Engine, jobs: list[Job]) -> list[tuple[int, ...]]:
    engine.switch(None)
    return [served.output for served in engine.serve(jobs, together=8)]


@pytest.fixture
def clean(engine: Engine) -> Iterator[Callable[[], None]]:
    """Checks the pool, and once more when the test is over: every block free or cached, none twice."""

    def check() -> None:
        pool = engine.pool
        pool.check()
        assert pool.get_num_free_blocks() == engine.blocks - 1
        free = pool.free_block_queue.get_all_free_blocks()
        assert len({block.block_id for block in free}) == len(free) == engine.blocks - 1

    yield check
    check()


@pytest.mark.parametrize("name", NAMES)
def test_same_tokens_as_stock(
    engine: Engine,
    clean: Callable[[], None],
    jobs: list[Job],
    stock: list[tuple[int, ...]],
    name: str,
) -> None:
    engine.switch(name, seed=1)
    served = engine.serve(jobs, together=8)
    assert [s.output for s in served] == stock
    assert sum(s.cached_tokens for s in served) > 0
    clean()
    assert engine.pool.reset_prefix_cache()
    assert len(engine.pool.table) == 0
    assert [s.output for s in engine.serve(jobs[:10], together=3)] == stock[:10]


def test_what_a_client_says_wrongly_costs_no_request(
    engine: Engine, clean: Callable[[], None], jobs: list[Job], stock: list[tuple[int, ...]]
) -> None:
    engine.switch("priority")
    said = [{}, {"priority": float("nan")}, {"priority": 2}, {"turn": 1e300}]
    some = [replace(job, about=said[i % 4]) for i, job in enumerate(jobs[:20])]
    assert [served.output for served in engine.serve(some, together=4)] == stock[:20]
    clean()


@pytest.mark.parametrize("name", ["lru", "rlt"])
def test_preemption(engine: Engine, clean: Callable[[], None], name: str) -> None:
    """Eight requests that outgrow the cache together: some are preempted and begin again."""
    rng = np.random.default_rng(2)
    jobs = [Job(rng.integers(3, 500, engine.block * 6 + 3).tolist(), engine.block * 4) for _ in range(16)]
    engine.switch(None)
    stock = [served.output for served in engine.serve(jobs, together=8)]
    engine.switch(name)
    assert [served.output for served in engine.serve(jobs, together=8)] == stock
    status = engine.status()
    assert status is not None
    assert status["requests"] > len(jobs), "nothing was preempted: the test tests nothing"
    assert status["unplanned"] == 0


@pytest.mark.parametrize("name", ["fifo", "random"])
def test_aborts_in_mid_flight(engine: Engine, clean: Callable[[], None], name: str) -> None:
    engine.switch(name)
    rng = np.random.default_rng(3)
    running: list[str] = []
    for i, job in enumerate(mixed(4, 120, engine.block)):
        running.append(engine.add(i, Job(job.prompt, 40)))
        engine.llm.llm_engine.step()
        if len(running) > 6:
            engine.abort([running.pop(int(rng.integers(len(running))))])
    engine.abort(running)
    while engine.llm.llm_engine.has_unfinished_requests():
        engine.llm.llm_engine.step()
    engine.llm.llm_engine.step()


def test_copies_of_a_block_are_taken_first(engine: Engine, clean: Callable[[], None]) -> None:
    """A prompt that ends with a block computes that block again, however often it is asked."""
    engine.switch("lru")
    prompt = np.random.default_rng(5).integers(3, 500, engine.block * 4).tolist()
    served = engine.serve([Job(prompt)] * 12)
    assert [s.cached_tokens // engine.block for s in served] == [0] + [3] * 11
    status = engine.status()
    assert status is not None
    assert status["nodes"] == 4
    assert status["spares"] == 11
    rng = np.random.default_rng(6)
    engine.serve([Job(rng.integers(3, 500, engine.block * 19 + 3).tolist()) for _ in range(3)])
    status = engine.status()
    assert status is not None
    assert status["nodes"] == 4 + 3 * 19, "a copy was kept and a node was lost"
    assert status["spares"] == 3


def test_events_tell_of_every_node(engine: Engine, clean: Callable[[], None], jobs: list[Job]) -> None:
    """What is announced as stored and not as removed is what is cached, copies apart."""
    from vllm.distributed.kv_events import BlockRemoved, BlockStored

    engine.switch("rlt", seed=2)
    engine.pool.take_events()
    taken = []
    original = engine.pool.take_events
    engine.pool.take_events = lambda: taken.extend(found := original()) or found
    try:
        engine.serve(
            [Job([*job.prompt, 3] if len(job.prompt) % engine.block == 0 else job.prompt) for job in jobs]
        )
        taken.extend(original())
    finally:
        del engine.pool.take_events
    count: dict[object, int] = {}
    for event in taken:
        change = {BlockStored: 1, BlockRemoved: -1}.get(type(event), 0)
        for key in getattr(event, "block_hashes", ()):
            count[key] = count.get(key, 0) + change
    assert set(count.values()) <= {0, 1}
    assert sum(count.values()) == len(engine.pool.table)
