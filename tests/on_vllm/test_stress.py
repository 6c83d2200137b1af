"""20,000 requests with random aborts: in the end every block is free or cached, and the table is the pool."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from gpu_validation.engine import Engine, Job

TOGETHER = 80


@pytest.fixture(scope="module")
def crowded(start: Callable[..., Engine]) -> Engine:
    """Sixty-four requests at once in 200 blocks."""
    return start(blocks=200, longest=320, max_num_batched_tokens=4096, max_num_seqs=64)


@pytest.mark.parametrize(("name", "requests"), [("rlt", 20_000), ("marking", 5_000)])
def test_random_aborts(crowded: Engine, name: str, requests: int) -> None:
    engine = crowded
    rng = np.random.default_rng(17)
    documents = [rng.integers(3, 500, engine.block * 8).tolist() for _ in range(40)]
    engine.switch(name, seed=3)
    core = engine.llm.llm_engine
    running: set[str] = set()
    aborted = finished = 0
    for i in range(requests):
        length = int(rng.integers(1, engine.block * 6))
        output = int(rng.choice([1, 1, 1, 2, 40]))
        running.add(engine.add(i, Job(documents[int(rng.integers(40))][:length], output)))
        while len(running) >= TOGETHER:
            for done in core.step():
                if done.finished:
                    running.discard(done.request_id)
                    finished += 1
            if running and rng.random() < 0.5:
                victim = sorted(running)[int(rng.integers(len(running)))]
                engine.abort([victim])
                running.discard(victim)
                aborted += 1
        if i % 2000 == 0:
            engine.pool.check()  # in mid-flight, too
    engine.abort(sorted(running))
    while core.has_unfinished_requests():
        core.step()
    core.step()
    engine.pool.check()
    free, cached = engine.pool.get_num_free_blocks(), len(engine.pool.table)
    status = engine.status()
    assert status is not None
    empty = sum(block.block_hash is None for block in engine.pool.blocks) - 1  # the null block
    assert free == cached + status["spares"] + empty == engine.blocks - 1
    assert aborted > requests // 100
    assert finished + aborted + len(running) == requests
