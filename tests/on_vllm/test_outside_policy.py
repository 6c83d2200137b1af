"""A policy of another distribution, one file that a how-to page shows, evicts in the engine by its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mixed_jobs import mixed
from outside import install

from gpu_validation.engine import Engine
from kvtheory.registry import every_policy, policies


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """That distribution on the path, and a registry that has not looked before."""
    install(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    every_policy.cache_clear()
    policies.cache_clear()
    yield
    every_policy.cache_clear()
    policies.cache_clear()


def test_the_environment_asks_for_it(
    installed: None, start: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KVTHEORY_POLICY", "second_visit")
    engine = start(blocks=40, longest=512, max_num_seqs=4)
    jobs = mixed(8, 40, 32)
    served = engine.serve(jobs, together=4)
    engine.pool.check()
    status = engine.status()
    assert status is not None
    assert status["policy"] == "second_visit"
    assert status["evictions"] > 0
    monkeypatch.delenv("KVTHEORY_POLICY")
    engine.switch(None)
    assert [s.output for s in engine.serve(jobs, together=4)] == [s.output for s in served]
