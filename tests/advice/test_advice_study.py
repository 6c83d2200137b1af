"""The committed study of docs/theory/advice.rst: its hashes, its arithmetic, and what is quick again."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from kvtheory.sources import generate

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "_static" / "advice"
ROWS: list[dict[str, Any]] = [json.loads(line) for line in (FOLDER / "curves.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def study() -> ModuleType:
    """The script that made them."""
    spec = importlib.util.spec_from_file_location("table_advice", ROOT / "tests/benchmarks/table_advice.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_nobody_has_touched_the_files(study: ModuleType) -> None:
    stated = dict(line.split()[::-1] for line in (FOLDER / "SHA256SUMS").read_text().splitlines())
    assert set(stated) == {"curves.jsonl", "curves.svg", "table.txt"}
    assert all(
        hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == sha for name, sha in stated.items()
    )
    assert (FOLDER / "table.txt").read_text() == study.table(ROWS)


def test_with_the_truth_two_policies_are_opt() -> None:
    true = [row for row in ROWS if row["level"] == 0 and row["policy"] in ("blind_oracle", "robust_advice")]
    assert len(true) >= 18
    whole = [row for row in true if "second half" not in row["workload"]]
    assert all(row["ratio"] == 1 and not row["wrong_per_opt"] for row in whole)
    assert all(abs(row["ratio"] - 1) < 0.001 for row in true)


def test_no_loss_exceeds_the_wrong_evictions() -> None:
    """Where the whole trace is counted, as the theorem does."""
    told = [row for row in ROWS if row.get("wrong_per_opt") is not None]
    counted = [row for row in told if "second half" not in row["workload"]]
    assert len(counted) > 60
    assert all(row["ratio"] <= 1 + row["wrong_per_opt"] + 0.0002 for row in counted)


def test_the_hedge_turns_where_trust_is_dear() -> None:
    turned = [row for row in ROWS if row.get("switches")]
    assert turned
    for row in turned:
        trust = next(
            other
            for other in ROWS
            if other["policy"] == "blind_oracle"
            and all(other[key] == row[key] for key in ("workload", "advice", "level"))
        )
        assert row["ratio"] < trust["ratio"]


def test_a_row_measured_again(study: ModuleType) -> None:
    spec = "zipf:documents=300,blocks=4,requests=6000,seed=1"
    bench = study.Bench(study.Case("Zipf, small cache", generate(spec), 3, 0, 1))
    assert bench.opt == next(row["opt"] for row in ROWS if row["workload"] == "Zipf, small cache")
    for policy in (study.BlindOracle, study.RobustAdvice):
        again = bench.told(policy, "inverted", 0.0)
        assert again["ratio"] == 1
    learned = bench.plain(study.BlindOracle)
    found = [row for row in ROWS if (row["policy"], row["advice"]) == ("blind_oracle", "none")]
    assert learned["ratio"] == next(row["ratio"] for row in found if row["workload"] == "Zipf, small cache")
