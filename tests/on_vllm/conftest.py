"""Tests on a real vLLM engine (CPU build, tiny random Llama): `make test-vllm`, in its own environment."""

from __future__ import annotations

from pathlib import Path

import pytest

vllm = pytest.importorskip("vllm")

from gpu_validation.engine import Engine  # noqa: E402

BLOCK, BLOCKS, LONGEST = 32, 66, 1536


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """One engine for the session: whole prompts in one step, eight requests at most, KV events on."""
    from vllm.config import KVEventsConfig

    return Engine(
        "tiny-shape",
        block=BLOCK,
        blocks=BLOCKS,
        longest=LONGEST,
        folder=Path(tmp_path_factory.mktemp("tiny")),
        max_num_batched_tokens=4096,
        max_num_seqs=8,
        disable_log_stats=False,
        kv_events_config=KVEventsConfig(enable_kv_cache_events=True, publisher="null"),
    )
