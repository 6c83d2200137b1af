"""The theorem checker: false theorems make it fail, its output is a contract, every fact has a theorem."""

import json
import sys
from pathlib import Path

import pytest

from kvtheory.testing.instances import all_trees
from proofs_check import __main__ as checker
from proofs_check.theorem import Effort, Kind, Note, Row, Theorem

ROOT = Path(__file__).parents[1]
ITEMS = set(range(1, 16))


def theorem(check, **given):
    fields = {
        "statement": "1 = 2",
        "kind": Kind.PROVED,
        "covers": (1,),
        "where": "docs/theory/belady.rst",
        "sizes": {"nodes": (3, 5, 7)},
        "scope": "{nodes} nodes",
    }
    return Theorem(**{**fields, **given}, check=check)


def fails(module, **size):
    """Whether a theorem fails at these sizes, the quick ones where none are given."""
    quick = module.THEOREM.size(Effort.QUICK)
    rows = [row for row in module.THEOREM.check({**quick, **size}) if isinstance(row, Row)]
    return not all(row.holds for row in rows)


def test_trees_are_the_rooted_trees():
    """1, 2, 4, 9, 20, 48 rooted trees of 2..7 vertices (OEIS A000081)."""
    assert [len(all_trees(n)) for n in range(1, 7)] == [1, 2, 4, 9, 20, 48]


@pytest.mark.parametrize(("relation", "holds"), [("==", False), ("<=", True), (">=", False)])
def test_rows_decide(relation, holds):
    assert Row("", 1, relation, 2, 1).holds is holds


def test_a_row_about_nothing_fails():
    assert not Row("", 0, "==", 0, 0).holds


def test_json(capsys):
    assert checker.main(["unbounded_policies", "--quick", "--json", "-"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == ["unbounded_policies"]
    fields = ["statement", "kind", "checked_up_to", "covers", "where", "rows", "notes"]
    assert list(found["unbounded_policies"]) == fields
    assert found["unbounded_policies"]["kind"] == "proved and checked"
    assert found["unbounded_policies"]["checked_up_to"] == "two families of up to 1,000 requests"
    row = found["unbounded_policies"]["rows"][0]
    assert list(row) == ["what", "computed", "relation", "claimed", "instances", "by", "holds"]
    assert all(row["holds"] for row in found["unbounded_policies"]["rows"])


@pytest.mark.parametrize(("flags", "nodes"), [(["--quick"], 3), ([], 5), (["--deep"], 7)])
def test_three_efforts(monkeypatch, capsys, flags, nodes):
    seen = theorem(lambda size: iter([Row("nodes", size["nodes"], "==", nodes, 1)]))
    monkeypatch.setattr(checker, "theorems", lambda: {"seen": seen})
    assert checker.main(flags) == 0
    assert f"checked up to: {nodes} nodes" in capsys.readouterr().out


def test_a_false_theorem_fails(monkeypatch, capsys):
    false = theorem(lambda size: iter([Row("one", 1, "==", 2, 1), Note("left out")]))
    monkeypatch.setattr(checker, "theorems", lambda: {"false": false})
    assert checker.main([]) == 1
    out = capsys.readouterr().out
    assert "FAILS  one: 1 == 2" in out
    assert "note   left out" in out


def test_an_unknown_theorem_is_refused(capsys):
    assert checker.main(["fermat"]) == 2
    assert "no theorem is named 'fermat'" in capsys.readouterr().err


def test_every_theorem_is_complete():
    for name, found in checker.theorems().items():
        assert isinstance(found.kind, Kind), name
        assert (found.kind is Kind.REFUTED) == found.statement.startswith("Refuted: "), name
        assert (ROOT / found.where).is_file(), name
        assert set(found.covers) <= ITEMS, name
        for effort in Effort:
            assert found.checked_up_to(effort), name
        for size, values in found.sizes.items():
            assert f"{{{size}}}" in found.scope, (name, size)
            assert list(values) == sorted(values), (name, size)


def test_every_fact_of_the_list_has_a_theorem():
    assert {item for found in checker.theorems().values() for item in found.covers} == ITEMS


def test_a_proof_that_is_nowhere_else_is_in_the_file():
    for name, found in checker.theorems().items():
        if found.where == "docs/theory/theorems.rst" and found.kind is Kind.PROVED:
            assert "\n\n" in sys.modules[f"proofs_check.{name}"].__doc__, name
