"""`python -m proofs_check --json F`: a place that cannot be written to is refused before any work."""

import json

import pytest

from proofs_check import __main__ as checker
from proofs_check.theorem import Kind, Row, Theorem


@pytest.fixture
def ran(monkeypatch):
    """The efforts at which the only theorem was checked."""
    seen = []

    def check(size):
        seen.append(size)
        yield Row("one", 1, "==", 1, 1)

    only = Theorem("1 = 1", Kind.PROVED, (1,), "docs/theory/belady.rst", {"n": (1, 2, 3)}, "{n}", check)
    monkeypatch.setattr(checker, "theorems", lambda: {"only": only})
    return seen


@pytest.mark.parametrize("place", ["", "missing/rows.json"])
def test_refused_before_any_theorem_is_checked(ran, capsys, tmp_path, place):
    assert checker.main(["--json", str(tmp_path / place)]) == 2
    shown = capsys.readouterr()
    assert ran == []
    assert shown.out == ""
    assert shown.err.startswith("proofs_check: ")
    assert "cannot be written" in shown.err
    assert shown.err.count("\n") == 1


def test_written_and_nothing_left_beside_it(ran, tmp_path):
    assert checker.main(["--quick", "--json", str(tmp_path / "rows.json")]) == 0
    assert ran == [{"n": 1}]
    assert [file.name for file in tmp_path.iterdir()] == ["rows.json"]
    assert json.loads((tmp_path / "rows.json").read_text())["only"]["rows"][0]["holds"] is True
