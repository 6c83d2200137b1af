"""The JSON of several engines: its report, and one line for whatever is wrong with it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from synthetic_run import synthetic
from test_malformed import VALUES, paths, refusal, replaced

import gpu_validation.__main__
from gpu_validation.__main__ import main
from gpu_validation.report import write_report
from gpu_validation.results import routed_cells
from gpu_validation.schema import ROUTED


def routed() -> dict[str, Any]:
    """Two engines, two routers: in `lbgr` the first request of each run went elsewhere."""
    found = synthetic(shares={"lru": 0.2, "rlt": 0.4})
    found["schema"] = ROUTED
    found["plan"] |= {"engines": 2, "routers": ["round_robin", "lbgr"], "repeats": 2}
    runs = []
    for run in found["runs"]:
        if run["repeat"] < 2:
            short = {name: run[name][:6] for name in ("requests", "simulated_hits")}
            for router in found["plan"]["routers"]:
                more = {"router": router, "status": [run["status"]] * 2, "served_by": [0, 1] * 3}
                simulated = [1 * (router == "lbgr"), 1, 0, 1, 0, 1]
                runs.append(copy.deepcopy(run | short | more | {"simulated_served_by": simulated}))
    found["runs"] = runs
    return found


WHOLE = routed()
NEW = {"engines", "routers", "router", "served_by", "simulated_served_by", "status", "schema"}
PATHS = [path for path in paths(WHOLE) if NEW & set(path)]
"""Of what the other schema does not have."""


def test_the_report(tmp_path: Path) -> None:
    core = pytest.importorskip("docutils.core")
    assert refusal(WHOLE, tmp_path / "run.json") is None
    table = routed_cells(WHOLE)
    assert len(table) == 2 * 2 * 2 * 2
    assert {key[2]: cell.alike for key, cell in table.items()} == {"round_robin": 12, "lbgr": 10}
    (page,) = write_report(WHOLE, tmp_path / "report")
    text = page.read_text(encoding="utf-8")
    assert "88 of 96 requests went to the engine" in text
    assert "96 hit exactly the tokens" in text
    assert "2 of 12" in text
    html = core.publish_string(text, writer="html", settings_overrides={"halt_level": 2, "report_level": 2})
    assert html.count(b"<table") == 2


@pytest.mark.parametrize("path", PATHS, ids=lambda path: ".".join(map(str, path)))
def test_anything_else_is_a_line_or_a_report(path: tuple[Any, ...], tmp_path: Path) -> None:
    for value in VALUES:
        found = replaced(WHOLE, path, value)
        if refusal(found, tmp_path / "run.json") is None:
            assert write_report(found, tmp_path / "report")


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"router": "p2c"}, "router", "'p2c' is not in the plan"),
        ({"served_by": [0, 1, 2, 0, 1, 0]}, "served_by", "names engine 2 of 2"),
        ({"simulated_served_by": [0]}, "simulated_served_by", "has 1 entries, not 6"),
        ({"status": WHOLE["runs"][0]["status"][:1]}, "status", "has 1 entries, not 2"),
        ({"status": [None, None]}, "status", "was active"),
    ],
)
def test_what_does_not_agree(changes: dict[str, Any], field: str, words: str, tmp_path: Path) -> None:
    found = copy.deepcopy(WHOLE)
    found["runs"][0] |= changes
    error = refusal(found, tmp_path / "run.json")
    assert error is not None
    assert error.field == f"runs[0].{field}"
    assert words in str(error)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--engines", "0"], "at least one"),
        (["--engines", "2", "--engine", "async"], "one request at a time"),
        (["--engines", "2", "--together", "4"], "one request at a time"),
        (["--routers", "lbrg"], "did you mean 'lbgr'?"),
        (["--routers", "lbgr,lbgr"], "'lbgr' is named twice"),
        (["--routers", "lbgr_oracle"], "true caches"),
        (["--engines", "2", "--policies", "arcc"], "did you mean 'arc'"),
    ],
)
def test_what_cannot_be_run_is_one_line(
    flags: list[str],
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gpu_validation.__main__, "_cuda", lambda device: False)
    assert main(["run", "--quick", *flags, "-o", str(tmp_path / "run.json")]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert words in err
