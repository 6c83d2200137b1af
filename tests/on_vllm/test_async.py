"""`AsyncLLM` with its core in a process of its own: the policy is there, and its hits are the simulator's."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from gpu_validation.__main__ import main
from gpu_validation.async_engine import AsyncEngine
from gpu_validation.engine import Job
from gpu_validation.prompts import Prompts, shorten
from gpu_validation.results import cells, read
from kvtheory.engine.kernel import replay
from kvtheory.model import Trace
from kvtheory.registry import policies
from kvtheory.sources import generate

pytest.importorskip("vllm")

SPACING = 0.1
"""Seconds between arrivals; a request of this model is served in about 5 ms."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AsyncEngine]:
    with AsyncEngine(
        "tiny-shape", block=32, blocks=66, longest=1536, folder=Path(tmp_path_factory.mktemp("tiny")),
        max_num_batched_tokens=4096, max_num_seqs=8,
    ) as engine:  # fmt: skip
        yield engine


def jobs_of(server: AsyncEngine, trace: Trace) -> list[Job]:
    prompts = Prompts(server.block, server.vocabulary)
    return [
        Job(prompts.tokens(trace.tree, v, i), arrival=SPACING * i)
        for i, v in enumerate(trace.requests.tolist())
    ]


@pytest.mark.parametrize("name", ["lru", "rlt"])
def test_at_low_load_the_hits_are_the_simulators(server: AsyncEngine, name: str) -> None:
    trace = shorten(generate("gsp:groups=8,prompts=5,block=256,order=random,seed=3"), deepest=40)
    expected = trace.tree.depth[replay(trace, server.capacity, policies()[name], 11).hit] * server.block
    jobs = jobs_of(server, trace)
    server.serve(jobs[:3])  # the first requests of a process are slow
    active = server.switch(name, 11)
    assert active is not None
    assert (active["policy"], active["seed"], active["evictions"]) == (name, 11, 0)
    served = server.serve_timed(jobs)
    # as long as each is done before the next arrives: on a busy machine that is not all the way
    apart = next((i + 1 for i, s in enumerate(served) if s.ttft >= SPACING), len(served))
    assert [s.cached_tokens for s in served][:apart] == expected.tolist()[:apart]
    assert 0 < sum(expected) < sum(len(job.prompt) for job in jobs)
    assert [s.prompt_tokens for s in served] == [len(job.prompt) for job in jobs]
    status = server.status()
    assert status is not None
    assert (status["policy"], status["requests"]) == (name, len(jobs))
    assert status["evictions"] > 0 == status["unplanned"]


def test_one_at_a_time_whatever_the_arrivals(server: AsyncEngine) -> None:
    """The same requests, several at a time too; outputs do not depend on it."""
    trace = shorten(generate("cyclic:prompts=9,blocks=9,requests=30"))
    jobs = jobs_of(server, trace)
    expected = trace.tree.depth[replay(trace, server.capacity, policies()["rlt"], 2).hit] * server.block
    server.switch("rlt", 2)
    alone = server.serve(jobs)
    assert [s.cached_tokens for s in alone] == expected.tolist()
    server.switch(None)
    assert server.status() is None
    crowded = server.serve(jobs, together=4)
    assert [s.request for s in crowded] == list(range(30))
    assert [s.output for s in crowded] == [s.output for s in alone]


def test_waiting_counts_from_the_planned_arrival(server: AsyncEngine) -> None:
    """A request that should have come two seconds ago has waited two seconds."""
    late, soon = server.serve_timed([Job(list(range(3, 50)), 2, -2.0), Job(list(range(60, 99)), 2, 0.05)])
    assert 2 <= late.ttft < 4
    assert 0 < soon.ttft < late.ttft
    assert len(late.output) == len(soon.output) == 2


def test_every_counter_begins_again_with_the_cache(server: AsyncEngine) -> None:
    server.switch("rlt", 2)
    jobs = jobs_of(server, shorten(generate("cyclic:prompts=9,blocks=9,requests=12")))
    counters = ("evictions", "unplanned", "insertions", "requests", "early_phases", "rescues", "nodes")
    hits = []
    for _ in range(2):
        assert server.wait(server.llm.reset_prefix_cache())
        status = server.status()
        assert status is not None
        assert [status[name] for name in counters] == [0] * len(counters)
        hits.append([s.cached_tokens for s in server.serve(jobs)])
        status = server.status()
        assert status is not None
        assert status["evictions"] > 0 < status["insertions"]
        assert status["requests"] == len(jobs)
        assert status["insertions"] == status["evictions"] + status["nodes"]
    assert hits[0] == hits[1]


def arguments(output: Path) -> list[str]:
    return [
        "run", "--engine", "async", "--device", "cpu", "--model", "tiny-shape", "--repeats", "2",
        "--workload", "cyclic:prompts=9,blocks=9", "--requests", "20", "--policies", "stock,rlt",
        "--load", "0.3", "-o", str(output),
    ]  # fmt: skip


def test_a_core_without_the_plugin_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """`VLLM_PLUGINS` that is empty leaves every plugin out; unset it leaves none out, as above."""
    monkeypatch.setenv("VLLM_PLUGINS", "")
    assert main(arguments(tmp_path / "run.json")) == 2
    lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith("gpu_validation:")]
    assert lines == ["gpu_validation: the kvtheory plugin is not in this engine: see VLLM_PLUGINS"]
    assert not (tmp_path / "run.json").exists()


def test_the_command(tmp_path: Path) -> None:
    """As a user calls it: a process that is spawned again imports this one's main module."""
    output = tmp_path / "run.json"
    command = [sys.executable, "-m", "gpu_validation", *arguments(output)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    found = read(output)
    assert (found["engine"], found["plan"]["engine"]) == ("AsyncLLM", "async")
    assert json.loads(output.read_text(encoding="utf-8")) == found
    table = cells(found)
    assert [key[1:] for key in table] == [(m, p) for m in ("offline", "timed") for p in ("stock", "rlt")]
    for (_, mode, _), cell in table.items():
        assert mode == "timed" or cell.same == (40, 40)
        assert np.all(cell.ttft > 0)
