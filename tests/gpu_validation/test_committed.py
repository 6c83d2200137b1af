"""The committed study: its report is what its JSON says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gpu_validation.report import write_report
from gpu_validation.results import cells, read
from gpu_validation.study import Plan, served_trace
from kvtheory.engine.kernel import replay
from kvtheory.registry import every_policy

FOLDER = Path(__file__).parents[2] / "gpu_validation" / "results"
RUNS = sorted(FOLDER.glob("*/run.json"))


@pytest.mark.parametrize("run", RUNS, ids=lambda path: path.parent.name)
def test_report_is_the_runs(run: Path, tmp_path: Path) -> None:
    page, *_ = write_report(read(run), tmp_path)
    assert page.read_text() == (run.parent / "report.rst").read_text()


def test_there_is_one() -> None:
    assert RUNS


@pytest.mark.parametrize("run", RUNS, ids=lambda path: path.parent.name)
def test_its_hits_are_what_the_simulator_of_today_says(run: Path) -> None:
    found = read(run)
    plan = found["plan"]
    table = cells(found)
    for spec in found["workloads"]:
        trace = served_trace(spec, Plan(**plan))
        skip = int(plan["warmup"] * len(trace))
        for name in plan["names"]:
            policy = every_policy()[name]
            rounds = [
                trace.tree.depth[replay(trace, found["capacity"], policy, seed).hit] * plan["block"]
                for seed in range(plan["repeats"])
            ]
            assert np.array_equal(table[spec, "offline", name].cached, np.array(rounds)[:, skip:])
