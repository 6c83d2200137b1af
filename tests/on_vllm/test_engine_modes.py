"""Engines of other modes, one after another: chunked prefill, no prefix caching, the environment's policy."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from mixed_jobs import mixed

from gpu_validation.engine import Engine
from kvtheory.errors import InputError

SMALL = {"blocks": 40, "longest": 512, "max_num_seqs": 4}


def test_chunked_prefill_and_the_environment(
    start: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prompts of up to 450 tokens in chunks of 96, under the policy that the environment asks for."""
    monkeypatch.setenv("KVTHEORY_POLICY", "rlt")
    monkeypatch.setenv("KVTHEORY_SEED", "7")
    engine = start(**SMALL, max_num_batched_tokens=96, enable_chunked_prefill=True)
    status = engine.status()
    assert status is not None
    assert (status["policy"], status["seed"], status["capacity"]) == ("rlt", 7, 38)
    jobs = mixed(8, 40, 32)
    served = engine.serve(jobs, together=4)
    engine.pool.check()
    again = engine.status()
    assert again is not None
    assert again["evictions"] > 0
    monkeypatch.delenv("KVTHEORY_POLICY")
    monkeypatch.delenv("KVTHEORY_SEED")
    engine.switch(None)
    assert [s.output for s in engine.serve(jobs, together=4)] == [s.output for s in served]


def test_additional_config_alone_asks_for_a_policy(
    start: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `LLM(..., additional_config=...)`; what disagrees or is unknown stops the engine as it starts."""
    monkeypatch.delenv("KVTHEORY_POLICY", raising=False)
    monkeypatch.delenv("KVTHEORY_SEED", raising=False)
    with pytest.raises(InputError, match="no policy is named 'lrv'"):
        start(**SMALL, additional_config={"kvtheory": {"policy": "lrv"}})
    engine = start(**SMALL, additional_config={"kvtheory": {"policy": "rlt", "seed": 7}})
    asked = engine.status()
    assert asked is not None
    assert (asked["policy"], asked["seed"]) == ("rlt", 7)
    jobs = mixed(8, 40, 32)
    served = engine.serve(jobs, together=4)
    assert (engine.status() or {})["evictions"] > 0
    engine.pool.check()
    engine.switch("rlt", 7)
    again = engine.serve(jobs, together=4)
    assert [s.cached_tokens for s in again] == [s.cached_tokens for s in served]


def test_prefix_caching_off(start: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KVTHEORY_POLICY", "lru")
    engine = start(**SMALL, enable_prefix_caching=False)
    assert engine.status() is None
    assert type(engine.pool).__name__ == "BlockPool"
    assert sum(s.cached_tokens for s in engine.serve(mixed(9, 10, 32), together=4)) == 0
    with pytest.raises(InputError, match="prefix caching is off"):
        engine.switch("rlt")
