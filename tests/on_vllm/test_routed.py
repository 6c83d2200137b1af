"""Two engines behind a router: offline, engine and hit of each request are the simulated cluster's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gpu_validation.results import read, routed_cells

pytest.importorskip("vllm")


def test_two_engines_are_the_simulated_cluster(tmp_path: Path) -> None:
    output = tmp_path / "run.json"
    command = [
        sys.executable, "-m", "gpu_validation", "run", "--engines", "2", "--routers", "round_robin,lbgr",
        "--policies", "rlt,arc", "--device", "cpu", "--model", "tiny-shape", "--repeats", "1",
        "--workload", "gsp:groups=20,prompts=2,block=256,order=random,seed=3", "--requests", "30",
        "-o", str(output),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=400)
    assert done.returncode == 0, done.stderr[-3000:]
    table = routed_cells(read(output))
    assert [key[1:] for key in table] == [
        (mode, router, policy)
        for mode in ("offline", "timed")
        for router in ("round_robin", "lbgr")
        for policy in ("rlt", "arc")
    ]
    for (_, mode, router, _), cell in table.items():
        assert cell.cached.sum() < cell.prompt.sum()
        if mode == "offline":
            assert cell.alike == 30
        if mode == "offline" or router == "round_robin":
            assert cell.same == (30, 30)
    assert any(cell.cached.sum() > 0 for cell in table.values())
