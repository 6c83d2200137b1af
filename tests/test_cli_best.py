"""`kvtheory exact --policy best-*`: the best ratio any online algorithm can have."""

import json
from fractions import Fraction

import pytest

from kvtheory.cli import run

KEYS = (
    "tree capacity policy requestable dropped ratio lower upper prefix cycle states states_reduced "
    "transitions seconds"
)


@pytest.mark.parametrize(
    ("tree", "capacity", "policy", "ratio"),
    [
        ("star:4", "3", "best-deterministic", "3/1"),
        ("star:4", "3", "best-randomized", "11/6"),
        ("star:5", "3", "best-randomized", "11/6"),
        ("0,1,0,3,0,5", "4", "best-deterministic", "2/1"),
        ("0,1,0,3,0,5", "4", "best-randomized", "3/2"),
        ("path:3", "2", "best-randomized", "1/1"),
    ],
)
def test_values_of_the_theory(capsys, tree, capacity, policy, ratio):
    assert run(["exact", "--tree", tree, "--capacity", capacity, "--policy", policy, "--json", "-"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == KEYS.split()
    assert (found["ratio"], found["lower"], found["upper"]) == (ratio, ratio, ratio)
    assert found["prefix"] is None


def test_requestable_tips_are_no_integer_law(capsys):
    """Two tips and one inner chain: 5/4, not the 1 that counting leaves of width-k+1 sets suggests."""
    arguments = [
        "--tree",
        "0,0,0,1",
        "--capacity",
        "2",
        "--requestable",
        "2,3,4",
        "--policy",
        "best-deterministic",
    ]
    assert run(["exact", *arguments, "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["ratio"] == "5/4"


def test_the_optimal_policy_is_emitted(capsys, tmp_path):
    file = tmp_path / "policy.json"
    arguments = ["exact", "--tree", "star:3", "--capacity", "2", "--policy"]
    assert run([*arguments, "best-randomized", "--emit-policy", str(file)]) == 0
    assert Fraction(3, 2) == Fraction(json.loads(file.read_text())["ratio"])
    capsys.readouterr()
    for policy, option in (("lru", "--emit-policy"), ("best-deterministic", "--emit-policy")):
        assert run([*arguments, policy, option, str(tmp_path / "none.json")]) == 2
    assert run([*arguments, "best-randomized", "--certificate", str(tmp_path / "none.json")]) == 2
    assert "certificate" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [file]
