"""The committed runs of routers: the file is the one that was made, says what the page says, and replays."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from profiles import whole_trace

from kvtheory.ratio.empirical import student_interval

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "_static" / "routers"
TRACE = ROOT.parent / "shared" / "traces" / "mooncake_conversation.jsonl"
OURS = "earliest_first_token"
Row = dict[str, Any]
Case = tuple[str, str, int, str]


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return [json.loads(line) for line in (FOLDER / "study.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def cases(rows: list[Row]) -> dict[Case, dict[str, list[Row]]]:
    found: dict[Case, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        found[row["trace"], row["preset"], row["workers"], row["policy"]][row["router"]].append(row)
    return found


def less(case: dict[str, list[Row]], what: str) -> tuple[float, float]:
    """Interval of ours less LBGR, by seed."""
    ours, lbgr = ({row["seed"]: row[what] for row in case[router]} for router in (OURS, "lbgr"))
    assert set(ours) == set(lbgr) == set(range(5))
    interval = student_interval([ours[seed] - lbgr[seed] for seed in ours])
    assert interval
    return interval


def test_the_file_is_the_one_that_was_made() -> None:
    stated = dict(line.split()[::-1] for line in (FOLDER / "SHA256SUMS").read_text().splitlines())
    assert stated == {"study.jsonl": hashlib.sha256((FOLDER / "study.jsonl").read_bytes()).hexdigest()}


def test_p95_ttft_is_below_lbgrs_at_every_size_and_cost(cases: dict[Case, dict[str, list[Row]]]) -> None:
    real = {case: found for case, found in cases.items() if case[0] == "conversation"}
    assert {case[1:3] for case in real} >= {
        (preset, workers)
        for preset in ("llama8b_l40", "llama8b_h100", "llama70b_h200")
        for workers in (4, 16, 64)
    }
    judged = [found for found in real.values() if "lbgr" in found]
    assert len(judged) >= 12
    for found in judged:
        ours, lbgr = ([row["p95_ttft_s"] for row in found[router]] for router in (OURS, "lbgr"))
        assert len(ours) == len(lbgr) == 5
        assert max(ours) < min(lbgr)


def test_no_makespan_on_gsp_is_lost(cases: dict[Case, dict[str, list[Row]]]) -> None:
    gsp = {case: found for case, found in cases.items() if case[0].startswith("gsp")}
    assert {case[0].split()[1] for case in gsp} == {"random", "grouped", "round_robin"}
    assert all(less(found, "makespan")[0] < 1e-6 for found in gsp.values())


def replay(monkeypatch: pytest.MonkeyPatch, wanted: Row, source: str) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "tests" / "benchmarks"))
    import table_routers

    numbers = [key for key, value in wanted.items() if isinstance(value, float)]
    for name, run in table_routers.rows_of(source):
        if name.items() <= wanted.items():
            again = name | run()
            assert {**wanted, **name} == wanted
            assert [again[key] for key in numbers] == pytest.approx(
                [wanted[key] for key in numbers], rel=1e-9
            )
            return
    raise AssertionError(f"nothing makes {wanted}")


def test_a_row_on_gsp_replays(rows: list[Row], monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = next(row for row in rows if row["trace"].startswith("gsp") and row["router"] == OURS)
    replay(monkeypatch, wanted, "")


@whole_trace
@pytest.mark.skipif(not TRACE.exists(), reason="the real trace is not here")
def test_a_row_on_the_real_trace_replays(rows: list[Row], monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = next(row for row in rows if row["trace"] == "conversation" and row["router"] == OURS)
    replay(monkeypatch, wanted, str(TRACE))
