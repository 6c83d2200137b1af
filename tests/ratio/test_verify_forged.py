"""Forgeries that a cold review of the verifier found: each is one clear refusal."""

import json

import pytest

from kvtheory.cli import run
from kvtheory.ratio.certificate import certificate, sign
from kvtheory.ratio.game import play
from kvtheory.ratio.instance import Instance
from kvtheory.registry import policies
from kvtheory.shapes import parse_tree
from proofs_check.verify import Malformed, Rejected, verify, verify_file

STAR = {"parents": [0, 0, 0], "capacity": 2, "requestable": [1, 2, 3]}


def table(costs, ratio="1/1", kind="exact", name="mine", cycle=(1,)):
    """A one-state automaton on the star of three leaves, k = 2."""
    positions = 20  # work functions of that star, as many as there are positions
    upper = {"potentials": ["0/1"] * positions, "cover": None}
    return sign(
        {
            "schema": "kvtheory-certificate/1",
            "instance": STAR,
            "policy": name,
            "automaton": {"next": [[0, 0, 0]], "cost": [costs]},
            "claim": {"ratio": ratio, "kind": kind},
            "lower": {"prefix": [1, 1], "cycle": list(cycle)},
            "upper": upper if kind == "exact" else None,
        }
    )


@pytest.mark.parametrize("name", ["x\n       claim  exact 7/1\x1b[31m", "x\ud800", "", "A", "x" * 65])
def test_a_name_cannot_forge_the_verdict(tmp_path, capsys, name):
    forged = table(["1/1"] * 3, name=name)
    with pytest.raises(Malformed, match="policy"):
        verify(forged)
    file = tmp_path / "forged.json"
    file.write_text(json.dumps(forged), encoding="utf-8")
    assert run(["verify", str(file)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_rationals_too_long_to_print_are_no_crash(tmp_path):
    costs = [f"1/{10**1989 + odd}" for odd in (1, 3, 7)]
    file = tmp_path / "big.json"
    file.write_text(json.dumps(table(costs, ratio="2/1", cycle=(1, 2, 3))), encoding="utf-8")
    with pytest.raises((Malformed, Rejected)):
        verify_file(file)


@pytest.mark.parametrize("kind", ["exact", "lower"])
def test_an_automaton_that_beats_opt_is_no_cache(kind):
    with pytest.raises(Rejected, match="no cache"):
        verify(table(["0/1"] * 3, kind=kind))


def test_negative_costs():
    with pytest.raises(Malformed, match="negative"):
        verify(table(["-5/1"] * 3))


@pytest.mark.parametrize("name", ["bucketing", "recursive_lru"])
def test_true_automata_of_ratio_one_still_verify(name):
    for tree, capacity in (("path:3", 3), ("0,1,0", 2), ("star:2", 2)):
        proof = certificate(play(Instance.of(parse_tree(tree), capacity), policies()[name]))
        assert verify(proof)["claim"] == "exact 1/1"


def test_a_capacity_beyond_the_tree_is_the_trees(tmp_path, capsys):
    file = tmp_path / "c.json"
    words = [
        "exact",
        "--tree",
        "star:4",
        "--capacity",
        str(2**31),
        "--policy",
        "lru",
        "--certificate",
        str(file),
    ]
    assert run(words) == 0
    assert run(["verify", str(file)]) == 0
    assert "exact 1/1" in capsys.readouterr().out


def test_a_ratio_that_no_certificate_fits_is_printed_all_the_same(tmp_path, capsys):
    words = [
        "exact",
        "--tree",
        "star:5",
        "--capacity",
        "3",
        "--policy",
        "best-deterministic",
        "--budget",
        "2",
    ]
    assert run([*words, "--certificate", str(tmp_path / "c.json"), "--json", "-"]) == 3
    shown = capsys.readouterr()
    assert json.loads(shown.out)["ratio"] == "3/1"
    assert "work functions" in shown.err


def test_a_policy_that_claims_too_much_is_told():
    from kvtheory.errors import PolicyError
    from kvtheory.policies.fifo import LeafFIFO
    from kvtheory.policy import Claim

    boast = type("Boast", (LeafFIFO,), {"name": "boast", "claims": (Claim("1", lambda w: 1),)})
    for budget in (50, None):
        with pytest.raises(PolicyError, match="claims a ratio of at most 1"):
            play(Instance.of(parse_tree("star:6"), 5), boast, budget=budget).result()
