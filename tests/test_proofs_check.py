"""The theorem checker: a false theorem makes it fail, and its output is a contract."""

import json

import pytest

from kvtheory.testing.instances import all_trees
from proofs_check import __main__ as checker
from proofs_check.theorem import Row, Theorem


def test_trees_are_the_rooted_trees():
    """1, 2, 4, 9, 20, 48 rooted trees of 2..7 vertices (OEIS A000081)."""
    assert [len(all_trees(n)) for n in range(1, 7)] == [1, 2, 4, 9, 20, 48]


@pytest.mark.parametrize(("relation", "holds"), [("==", False), ("<=", True), (">=", False)])
def test_rows_decide(relation, holds):
    assert Row("", 1, relation, 2, 1).holds is holds


def test_json(capsys):
    assert checker.main(["unbounded_policies", "--quick", "--json", "-"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == ["unbounded_policies"]
    assert all(row["holds"] for row in found["unbounded_policies"]["rows"])


def test_a_false_theorem_fails(monkeypatch, capsys):
    false = Theorem("1 = 2", "false", "nowhere", lambda effort: iter([Row("one", 1, "==", 2, 1)]))
    monkeypatch.setattr(checker, "theorems", lambda: {"false": false})
    assert checker.main([]) == 1
    assert "FAILS  one: 1 == 2" in capsys.readouterr().out


def test_an_unknown_theorem_is_refused(capsys):
    assert checker.main(["fermat"]) == 2
    assert "no theorem is named 'fermat'" in capsys.readouterr().err


def test_every_theorem_names_where_its_proof_is():
    for name, theorem in checker.theorems().items():
        assert theorem.status in {"proved", "verified", "conjecture", "false"}, name
        assert theorem.where.startswith("docs/"), name
