"""Tests on a real vLLM engine (CPU build, tiny random Llama): `make test-vllm`, in its own environment."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

vllm = pytest.importorskip("vllm")

from gpu_validation.engine import Engine  # noqa: E402

BLOCK, BLOCKS, LONGEST = 32, 66, 1536


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Engine]]:
    """Starts an engine; the one before it ends, because vLLM keeps its process groups in globals."""
    running: list[Engine] = []

    def end() -> None:
        while running:
            running.pop().close()
        gc.collect()

    def begin(**options: Any) -> Engine:
        end()
        folder = Path(tmp_path_factory.mktemp("model"))
        running.append(Engine("tiny-shape", block=BLOCK, folder=folder, disable_log_stats=False, **options))
        return running[0]

    yield begin
    end()


@pytest.fixture(scope="module")
def engine(start: Callable[..., Engine]) -> Engine:
    """One engine for a module: whole prompts in one step, eight requests at most, KV events on."""
    from vllm.config import KVEventsConfig

    return start(
        blocks=BLOCKS,
        longest=LONGEST,
        max_num_batched_tokens=8 * LONGEST,
        max_num_seqs=8,
        kv_events_config=KVEventsConfig(enable_kv_cache_events=True, publisher="null"),
    )
