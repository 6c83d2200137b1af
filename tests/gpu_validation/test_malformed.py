"""A run's JSON with anything deleted or replaced is one line that names file and field, or a report."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from profiles import examples
from synthetic_run import SPECS, synthetic

import gpu_validation.bootstrap
from gpu_validation.__main__ import main
from gpu_validation.report import write_report
from gpu_validation.results import read
from gpu_validation.schema import FIELDS
from kvtheory.errors import InputError

GONE = object()
VALUES: list[Any] = [
    GONE, None, True, False, "", "x", "a\nb", "rlt", "timed", SPECS[1], -1, 0, 1, 2, 3.5, 1e308, 2**53 - 1,
    10**400, float("nan"), float("inf"), [], {}, [[]], [{}], [1, 1, 1.0], {"policy": "lru"},
]  # fmt: skip


def small() -> dict[str, Any]:
    """A run of six requests, two rounds and three policies."""
    found = synthetic(shares={"stock": 0.2, "lru": 0.2, "rlt": 0.6})
    found["runs"] = [run for run in found["runs"] if run["repeat"] < 2]
    found["plan"]["repeats"] = 2
    for run in found["runs"]:
        for column in ("requests", "simulated_hits"):
            run[column] = run[column][:6]
    return found


WHOLE = small()


def paths(value: Any, where: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where there is something to replace: every field, and of a list its first two entries and its last."""
    if where:
        yield where
    if isinstance(value, dict):
        for name in value:
            yield from paths(value[name], (*where, name))
    elif isinstance(value, list):
        for i in sorted({0, 1, len(value) - 1} & set(range(len(value)))):
            yield from paths(value[i], (*where, i))


PATHS = list(paths(WHOLE))


def replaced(whole: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """A run with one value replaced, or gone."""
    found = copy.deepcopy(whole)
    parent: Any = found
    for name in path[:-1]:
        parent = parent[name]
    if value is GONE:
        del parent[path[-1]]
    else:
        parent[path[-1]] = value
    return found


def refusal(found: dict[str, Any], file: Path) -> InputError | None:
    """What `read` says; None where it takes the file."""
    file.write_text(json.dumps(found), encoding="utf-8")
    try:
        read(file)
    except InputError as error:
        refused = error
    else:
        return None
    assert refused.file == str(file)
    assert refused.field
    assert "\n" not in str(refused)
    return refused


def test_the_run_itself_is_taken(tmp_path: Path) -> None:
    assert refusal(WHOLE, tmp_path / "run.json") is None


def test_every_documented_field_must_be_there(tmp_path: Path) -> None:
    """Of the table of fields, all but the fields of an object that may hold anything."""

    def fields(shape: Any, where: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
        if isinstance(shape, dict):
            for name, inner in shape.items():
                yield (*where, name)
                yield from fields(inner, (*where, name))
        elif isinstance(shape, list):
            yield from fields(shape[0], (*where, 0))

    wanted = list(fields(FIELDS, ()))
    assert len(wanted) == 40
    for path in wanted:
        error = refusal(replaced(WHOLE, path, GONE), tmp_path / "run.json")
        assert error is not None
        assert str(path[-1]) in str(error.field)
        assert "missing" in str(error) or path == ("schema",)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: ".".join(map(str, path)))
def test_anything_else_is_a_line_or_a_report(
    path: tuple[Any, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report is written for the last of the values that are taken, for the first entry of each list."""
    monkeypatch.setattr(gpu_validation.bootstrap, "DRAWS", 20)
    taken = []
    for value in VALUES:
        found = replaced(WHOLE, path, value)
        if refusal(found, tmp_path / "run.json") is None:
            taken.append(found)
    if not any(isinstance(name, int) and name for name in path):
        for found in taken[-1:]:
            assert write_report(found, tmp_path / "report")


@settings(max_examples=examples(100), deadline=None)
@given(data=st.data())
def test_two_at_once(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Something else in two places; what is taken must make tables."""
    from gpu_validation.results import cells

    found = copy.deepcopy(WHOLE)
    for _ in range(2):
        path = data.draw(st.sampled_from(PATHS))
        parent: Any = found
        try:
            for name in path[:-1]:
                parent = parent[name]
            parent[path[-1]] = data.draw(st.sampled_from(VALUES[1:]))
        except (KeyError, IndexError, TypeError):
            continue  # the first replacement took that place away
    if refusal(found, tmp_path_factory.getbasetemp() / "two.json") is None:
        assert cells(found)


R = next(i for i, run in enumerate(WHOLE["runs"]) if run["policy"] == "lru")
RUN = WHOLE["runs"][R]
ROWS, HITS = RUN["requests"], RUN["simulated_hits"]


def changed(**changes: Any) -> dict[str, Any]:
    """One run of leaf-LRU is another."""
    found = copy.deepcopy(WHOLE)
    found["runs"][R].update(changes)
    return found


def first(*row: Any) -> dict[str, Any]:
    """That run's first request is another."""
    return changed(requests=[list(row), *ROWS[1:]])


@pytest.mark.parametrize(
    ("found", "field", "words"),
    [
        (changed(policy="lrv"), f"runs[{R}].policy", "'lrv' is not in the plan"),
        (changed(workload="gsp"), f"runs[{R}].workload", "'gsp' is not in the plan"),
        (changed(mode="Timed"), f"runs[{R}].mode", "is not offline or timed"),
        (changed(repeat=2), f"runs[{R}]", "is round 2 again, or not in the plan"),
        (changed(repeat=(RUN["repeat"] + 1) % 2), "runs[", "again"),
        (changed(status={"policy": "rlt"}), f"runs[{R}].status", "does not say that lru was active"),
        (changed(status=None), f"runs[{R}].status", "does not say that lru was active"),
        (changed(requests=ROWS[1:], simulated_hits=HITS[1:]), "runs[", "not the prompts of the workload's"),
        (changed(requests=[]), f"runs[{R}].requests", "is empty"),
        (changed(simulated_hits=HITS[1:]), f"runs[{R}].simulated_hits", "has 5 entries, not 6"),
        (first(*ROWS[0], 1), f"runs[{R}].requests[0]", "has 4 entries, not 3"),
        (first(*ROWS[0][:2]), f"runs[{R}].requests[0]", "has 2 entries, not 3"),
        (first(*ROWS[0][:2], float("nan")), f"runs[{R}].requests[0][2]", "is not a positive number"),
        (first(ROWS[0][0], ROWS[0][0], 1.0), f"runs[{R}].requests[0]", "tokens cached"),
        (first(ROWS[0][0], True, 1.0), f"runs[{R}].requests[0][1]", "is not a whole number from 0"),
        ({**WHOLE, "runs": []}, "runs", "is empty"),
        ({**WHOLE, "runs": WHOLE["runs"][1:]}, "runs", "are 23, not the 24 of the plan"),
        ({**WHOLE, "runs": [*WHOLE["runs"][1:], WHOLE["runs"][1]]}, "runs[23]", "again"),
        ({**WHOLE, "plan": {**WHOLE["plan"], "load": None}}, "runs", "not the 12 of the plan"),
        ({**WHOLE, "plan": {**WHOLE["plan"], "names": ["lru"] * 3}}, "plan.names", "names 'lru' twice"),
        ({**WHOLE, "workloads": {SPECS[0]: {}}}, "workloads", "are not those of plan.workloads"),
    ],
)  # fmt: skip
def test_what_does_not_agree(found: dict[str, Any], field: str, words: str, tmp_path: Path) -> None:
    error = refusal(found, tmp_path / "run.json")
    assert error is not None
    assert str(error.field).startswith(field)
    assert words in str(error)


def test_the_command_says_it_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "run.json"
    for text in (
        json.dumps(changed(policy="lrv")),
        json.dumps(changed(requests=[[1, 2]])),
        "[" * 100_000,
        "9" * 5000,
        "\udcff",
        '{"schema": "kvtheory-gpu-validation/1"}',
    ):
        file.write_text(text, encoding="utf-8", errors="surrogateescape")
        assert main(["report", str(file), "-o", str(tmp_path / "report")]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith(f"gpu_validation: {file}")
        assert err.count("\n") == 1
        assert not (tmp_path / "report").exists()


def test_names_mean_nothing_to_the_page_or_the_pictures(tmp_path: Path) -> None:
    """A file's name may hold dollars, a folder's underscores: neither mathematics nor a reference."""
    core = pytest.importorskip("docutils.core")
    odd = "$x_$.jsonl"
    text = json.dumps({**WHOLE, "plan": {**WHOLE["plan"], "model": "models_/a*b|"}}).replace(SPECS[0], odd)
    file = tmp_path / "run.json"
    file.write_text(text, encoding="utf-8")
    page, *pictures = write_report(read(file), tmp_path / "report")
    assert len(pictures) == 3
    html = core.publish_string(
        page.read_text(encoding="utf-8"),
        writer="html",
        settings_overrides={"halt_level": 2, "report_level": 2},
    )
    assert b"models_/a*b|" in html
