"""A policy, a router, a workload, a theorem and a trace format of another distribution, each one file.

They are the files that the how-to pages show. Every command runs in a process of its own, which knows of them
by their entry points alone.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from outside import DOORS, EXAMPLES, install

Run = Callable[..., str]
CONVERSATIONS = EXAMPLES / "lmsys_chat.jsonl"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs `python ARGUMENTS` where that distribution is installed; what it prints."""
    folder = tmp_path_factory.mktemp("outside")
    install(folder)
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path, "COLUMNS": "200", "NO_COLOR": "1"}

    def python(*arguments: str, exit_code: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        assert done.returncode == exit_code, done.stderr
        assert "Traceback" not in done.stderr
        return done.stderr if exit_code else done.stdout

    return python


@pytest.mark.parametrize("name", [name for name, _ in DOORS.values()])
def test_each_is_one_file_of_at_most_40_lines(name: str) -> None:
    text = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 40
    pages = [page.read_text(encoding="utf-8") for page in (EXAMPLES.parent / "howto").glob("*.rst")]
    assert any(f"../examples/{name}.py" in page for page in pages)


@pytest.mark.parametrize("group", ["policies", "routers", "workloads"])
def test_it_is_listed(run: Run, group: str) -> None:
    assert re.search(rf"^{DOORS[group][0]}\b", run("-m", "kvtheory", group), re.MULTILINE)


def test_policy_and_workload_run(run: Run) -> None:
    """Two chains of 20 and room for 39: after their first time, each misses the tip that made way."""
    command = "ratio ping_pong:length=20,requests=40 --capacity 39 --policies lru,second_visit --json -"
    found = json.loads(run("-m", "kvtheory", *command.split()))
    assert found["source"] == "ping_pong:length=20,requests=40"
    (measured,) = found["runs"]
    misses = {policy["name"]: policy["misses"] for policy in measured["policies"]}
    assert misses == {"lru": 78, "second_visit": 78}
    assert measured["opt"]["misses"] == 78


def test_the_router_runs_with_its_options(run: Run) -> None:
    """Each chain has a home, where it is hit whole but for the first time; by turns it is the same."""
    command = "route ping_pong:length=3,requests=60 --workers 2 --capacity 3 --policies lru --json -"
    found = json.loads(run("-m", "kvtheory", *command.split(), "--routers", "first_home:slack=100"))
    (measured,) = found["runs"]
    assert measured["router"] == "first_home:slack=100"
    assert measured["hit_rate"] == (180 - 6) / 180


def test_the_trace_is_detected_and_read(run: Run) -> None:
    """By hand: the prompts of `lmsys_chat.jsonl`, in blocks of 16 tokens of 4 bytes."""
    command = ["ratio", str(CONVERSATIONS), "--capacity", "9", "--policies", "lru", "--json", "-"]
    found = json.loads(run("-m", "kvtheory", *command))
    lines = CONVERSATIONS.read_text(encoding="utf-8").splitlines()
    talks = [[message["content"] for message in json.loads(line)["conversation"]] for line in lines]
    sizes = [[-(-len(text) // 4) for text in talk] for talk in talks]
    prompts = [sum(sizes[0][:2]), sum(sizes[1][:2]), sum(sizes[0])]
    assert (found["requests"], found["accesses"]) == (3, sum(-(-tokens // 16) for tokens in prompts))


def test_the_theorem_is_checked(run: Run) -> None:
    command = ["-m", "proofs_check", "no_choice_on_a_path", "--quick", "--json", "-"]
    (row,) = json.loads(run(*command))["no_choice_on_a_path"]["rows"]
    assert (row["computed"], row["holds"]) == ("0", True)
    assert row["instances"] == 1 + 2**3 + 3**3


def test_the_contracts_hold_it_and_three_engines_play_it(run: Run) -> None:
    """The contract compares the reference engine with the kernel; the live table serves the same requests."""
    said = run("-c", PLAY)
    assert "the live table agrees with the reference on 2000 requests" in said
    assert {"kernel", "relabel"} <= set(said.split())
    assert {"blind", "books"} <= set(said.split())


PLAY = """
import numpy as np
from kvtheory.engine.kernel import replay
from kvtheory.engine.reference import ReferenceEngine
from kvtheory.engine.node_table import NodeTable
from kvtheory.registry import policies, routers
from kvtheory.sources import generate
from kvtheory.testing.contract import run_contract
from kvtheory.testing.router_contract import run_router_contract

policy = policies()["second_visit"]
trace, capacity = generate("zipf:documents=60,blocks=4,shared=1,requests=2000"), 80
hits, victims = ReferenceEngine(trace.tree, capacity, policy).run(trace.requests.tolist())
assert replay(trace, capacity, policy).hit.tolist() == hits
table = NodeTable(policy, capacity, capacity + 1)
for v, hit, evicted in zip(trace.requests.tolist(), hits, victims, strict=True):
    path = trace.tree.path(v)
    assert max((u for u in path if u in table), default=0) == hit
    slots = table.slots(path)
    table.serve(slots, slots, len(path))
    assert table.evict(max(0, len(table) - capacity)) == evicted
    table.release(slots[::-1])
assert 0 < sum(map(len, victims))
print("the live table agrees with the reference on", len(trace), "requests")
print(*run_contract(policy, examples=2))
print(*run_router_contract(routers()["first_home"], examples=2))
"""


def test_what_does_not_load_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    about = tmp_path / "broken-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[kvtheory.trace_formats]\nx = nowhere:X\n")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from kvtheory.cli import main; main()"
    said = run("-c", code, "ratio", str(CONVERSATIONS), "--capacity", "9", exit_code=2)
    assert said == (
        "kvtheory: entry point 'x' of kvtheory.trace_formats cannot be loaded: "
        "ModuleNotFoundError: No module named 'nowhere'\n"
    )
