"""`kvtheory exact --policy best-*`: the best ratio any online algorithm can have."""

import json
from fractions import Fraction

import pytest

from kvtheory.cli import run

KEYS = (
    "schema tree capacity policy requestable dropped ratio lower upper prefix cycle states states_reduced "
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
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("policy", "claim", "proved"),
    [
        ("best-deterministic", "exact 2/1", {"adversary_positions", "positions"}),
        ("best-randomized", "exact 3/2", {"chain_states", "chain_positions", "positions"}),
    ],
)
def test_certificates_are_written_and_verified(capsys, tmp_path, policy, claim, proved):
    file = tmp_path / "proof.json"
    arguments = ["exact", "--tree", "star:3", "--capacity", "2", "--policy", policy]
    assert run([*arguments, "--certificate", str(file)]) == 0
    capsys.readouterr()
    assert run(["verify", str(file)]) == 0
    shown = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert (shown["policy"], shown["claim"]) == (policy, claim)
    assert set(shown) == {"schema", "policy", "claim", *proved}
    found = json.loads(file.read_text())
    found["upper"]["potentials"][1] = "-9/1"
    file.write_text(json.dumps(found))
    assert run(["verify", str(file)]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    found["claim"]["ratio"] = 1.5
    file.write_text(json.dumps(found))
    assert run(["verify", str(file)]) == 2


def test_where_the_bounds_do_not_meet_the_lower_one_is_certified(capsys, tmp_path):
    """Whether they meet hangs on the vertex that HiGHS finds: they do with 1.10, not with 1.16."""
    file = tmp_path / "proof.json"
    arguments = ["exact", "--tree", "0,0,0,1,2", "--capacity", "3", "--requestable", "3,4,5"]
    code = run([*arguments, "--policy", "best-randomized", "--certificate", str(file), "--json", "-"])
    found = json.loads(capsys.readouterr().out)
    assert (found["lower"], code) in (("46/39", 3), ("16/13", 0))
    assert found["upper"] == "16/13"
    assert run(["verify", str(file)]) == 0
    kind = "exact" if found["ratio"] else "lower"
    assert f"{kind} {found['lower']}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("policy", "requestable", "lower", "upper", "code"),
    [
        ("best-deterministic", "all", "3/1", "3/1", 0),
        ("best-randomized", "all", "11/6", "3/1", 3),
        ("best-randomized", "1,2,3", "1/1", "3/1", 3),
    ],
)
def test_beyond_the_budget_the_theorems_are_left(capsys, policy, requestable, lower, upper, code):
    """Three work functions are not enough: what theorems say is printed, and lies round the truth."""
    asked = ["--policy", policy, "--requestable", requestable]
    words = ["exact", "--tree", "star:5", "--capacity", "3", *asked]
    assert run([*words, "--budget", "3", "--json", "-"]) == code
    found = json.loads(capsys.readouterr().out)
    assert list(found) == KEYS.split()
    assert (found["lower"], found["upper"], found["states"]) == (lower, upper, None)
    assert run([*words, "--json", "-"]) == 0
    truth = Fraction(json.loads(capsys.readouterr().out)["ratio"])
    assert Fraction(lower) <= truth <= Fraction(upper)


@pytest.mark.parametrize("option", ["--certificate", "--emit-policy"])
def test_beyond_the_budget_there_is_nothing_to_write(capsys, tmp_path, option):
    file = tmp_path / "out.json"
    tree = ["--tree", "star:5", "--capacity", "3"]
    words = ["exact", *tree, "--policy", "best-randomized", "--budget", "3"]
    assert run([*words, option, str(file)]) == 3
    assert "more than 3 work functions" in capsys.readouterr().err
    assert not file.exists()
