"""The verifier: altered certificates are rejected, malformed ones refused, and nothing crashes it."""

import ast
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from forging import copy, leaves, put, variants, verdict
from hypothesis import given, settings
from hypothesis import strategies as st
from profiles import examples

from kvtheory.ratio.certificate import certificate, sign, upper_part
from kvtheory.ratio.certificate_best import best_certificate
from kvtheory.ratio.cover import upper_bound
from kvtheory.ratio.game import fraction, play
from kvtheory.ratio.instance import Instance
from kvtheory.ratio.minimax import best_randomized
from kvtheory.registry import policies
from kvtheory.shapes import parse_tree
from kvtheory.testing.probes import AllTied
from proofs_check import verify as module
from proofs_check.verify import Malformed, load, verify
from proofs_check.verify_rules import read_tree


def proof(tree, capacity, policy, **options):
    return certificate(play(Instance.of(parse_tree(tree), capacity), policy, **options))


def small_cover():
    """A cover by few anchors: large enough for a bound, small enough to try every change of it."""
    game = Instance.of(parse_tree("star:3"), 2)
    solved = play(game, policies()["random"], budget=40)
    beliefs = solved.player.beliefs.without_symmetry()
    bound = upper_bound(beliefs, solved.turner.work, 8)
    found = certificate(replace(solved, bound=bound))
    claim = {"ratio": fraction(bound.ratio), "kind": "upper"}
    return sign({**found, "claim": claim, "lower": None, "upper": upper_part(replace(solved, bound=bound))})


COVERED = small_cover()
HONEST = {
    "lru": proof("star:3", 2, policies()["lru"]),
    "fifo": proof("0,0,1,0", 2, policies()["fifo"]),
    "marking": proof("star:4", 3, policies()["marking"]),
    "mru": proof("star:3", 2, policies()["mru"]),
    "rlt": proof("star:4", 2, policies()["rlt"]),
    "lower": proof("star:5", 4, policies()["lru"], budget=100, symmetric=False),
    "table": proof("star:3", 2, AllTied),
    "cover": COVERED,
}


@pytest.mark.parametrize("name", HONEST)
def test_honest_certificates(name):
    assert verdict(HONEST[name]) == "accepted"


@pytest.mark.parametrize("name", HONEST)
def test_one_altered_value_is_rejected(name):
    """The digest sees any change of any field."""
    for path, value in leaves(HONEST[name]):
        for other in variants(value):
            if other != value:
                forged = copy(HONEST[name])
                put(forged, path, other)
                assert verdict(forged) != "accepted", (path, value, other)


@pytest.mark.parametrize("name", HONEST)
def test_a_forger_who_signs_again_proves_nothing_false(name):
    """With the digest made good, a changed claim is rejected; what still passes is still a proof.

    The instance, policy and claim are the statement: another statement must be true to pass. A potential or
    the way to the cycle may be changed within what the inequalities allow. A table is its own statement.
    """
    honest = HONEST[name]
    for path, value in leaves(honest):
        for other in variants(value):
            if other == value or path[0] in ("digest", "schema"):
                continue
            forged = copy(honest)
            put(forged, path, other)
            if verdict(sign(forged)) != "accepted":
                continue
            assert path[0] != "claim" or (name == "cover" and Fraction(other) > Fraction(value))
            if path[0] in ("instance", "policy") and name != "table":
                assert solved_again(forged, forged["claim"]["kind"]), (path, value, other)


def solved_again(forged, kind):
    """Whether the solver agrees with a forged statement."""
    parents = ",".join(map(str, forged["instance"]["parents"]))
    game = Instance.of(parse_tree(parents), forged["instance"]["capacity"], forged["instance"]["requestable"])
    result = play(game, policies()[forged["policy"]]).result().to_json()
    if kind == "upper":
        return Fraction(result["lower"]) <= Fraction(forged["claim"]["ratio"])
    if kind == "lower":
        return Fraction(result["upper"]) >= Fraction(forged["claim"]["ratio"])
    return result["lower"] == forged["claim"]["ratio"]


def test_every_potential_counts():
    """A potential lowered anywhere on the tight cycle, or far enough anywhere else, breaks an edge."""
    for name in ("lru", "fifo", "marking", "rlt"):
        for i, value in enumerate(HONEST[name]["upper"]["potentials"]):
            for other in (Fraction(value) - 100, Fraction(value) + 100):
                forged = copy(HONEST[name])
                forged["upper"]["potentials"][i] = f"{other.numerator}/{other.denominator}"
                if i or other < Fraction(value):  # nothing leads back to the empty cache
                    assert verdict(sign(forged)) == "Rejected"


@pytest.mark.parametrize(
    "forge",
    [
        lambda c: c["claim"].update(ratio="3/2"),
        lambda c: c["claim"].update(ratio="3/1"),
        lambda c: c["claim"].update(ratio="inf"),
        lambda c: c["claim"].update(kind="upper"),
        lambda c: c["claim"].update(kind="lower"),
        lambda c: c["lower"]["cycle"].pop(),
        lambda c: c["lower"]["cycle"].append(1),
        lambda c: c["lower"]["prefix"].pop(),
        lambda c: c["lower"].update(cycle=[]),
        lambda c: c["upper"]["potentials"].pop(),
        lambda c: c["upper"]["potentials"].append("0/1"),
        lambda c: c["upper"]["potentials"].reverse(),
        lambda c: c.update(policy="fifo2"),
        lambda c: c.update(policy="mru"),
        lambda c: c.update(policy="random"),
        lambda c: c.update(automaton={"next": [[0, 0, 0]], "cost": [["0/1", "0/1", "0/1"]]}),
        lambda c: c["instance"].update(parents=[0, 0, 1]),
        lambda c: c["instance"].update(parents=[0, 0]),
        lambda c: c["instance"].update(capacity=1),
        lambda c: c["instance"].update(capacity=3),
        lambda c: c["instance"].update(requestable=[1, 2]),
        lambda c: c.update(lower=None),
        lambda c: c.update(upper=None),
        lambda c: c.update(lower=None, upper=None),
    ],
)
def test_a_signed_lie_is_rejected(forge):
    forged = copy(HONEST["lru"])
    forge(forged)
    assert verdict(sign(forged)) != "accepted"


def test_a_potential_for_a_position_that_is_not_reached_is_rejected():
    for name in ("lru", "rlt"):
        forged = copy(HONEST[name])
        forged["upper"]["potentials"] += ["0/1"] * 5
        assert verdict(sign(forged)) == "Rejected"


def test_an_upper_claim_alone():
    claim = copy(HONEST["lru"])
    claim["claim"]["kind"], claim["lower"] = "upper", None
    assert verdict(sign(claim)) == "accepted"
    claim["claim"]["ratio"] = "5/2"  # weaker, and true
    assert verdict(sign(claim)) == "accepted"
    claim["claim"]["ratio"] = "3/2"
    assert verdict(sign(claim)) == "Rejected"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "1.5",
        "NaN",
        '{"schema": "kvtheory-certificate/1"}',
        '{"a": 1, "a": 2}',
        "[" * 100_000,
        '{"schema": 1e999}',
        "\x00",
    ],
)
def test_what_is_no_certificate(text):
    with pytest.raises(Malformed):
        verify(load(text))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["1/1", "0/1", "1/0"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=examples(300))
@given(st.data())
def test_the_verifier_never_crashes(data):
    """Any value in any place, signed again: accepted only where it changes nothing that is claimed."""
    name = data.draw(st.sampled_from(sorted(HONEST)))
    forged = copy(HONEST[name])
    places = [path for path, _ in leaves(forged)]
    path = data.draw(st.sampled_from(places))
    put(forged, path[: data.draw(st.integers(1, len(path)))], data.draw(json_values))
    verdict(sign(forged))
    verdict(forged)


def test_it_imports_the_standard_library_alone():
    files = sorted(Path(module.__file__).parent.glob("verify*.py"))
    assert [file.stem for file in files] == ["verify", "verify_best", "verify_policies", "verify_rules"]
    imported, lines = set(), 0
    for file in files:
        source = file.read_text()
        lines += len(source.splitlines())
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0
                imported.add(node.module)
        assert len(source.splitlines()) <= 320
    assert lines <= 900
    own = {name for name in imported if name.startswith("proofs_check.verify_")}
    assert {name.split(".")[0] for name in imported - own} <= sys.stdlib_module_names


def test_it_runs_without_anything_installed(tmp_path):
    """A copy of the verifier's own files, far from the package, and no site-packages."""
    (tmp_path / "proofs_check").mkdir()
    for file in Path(module.__file__).parent.glob("verify*.py"):
        shutil.copy(file, tmp_path / "proofs_check")
    command = [sys.executable, "-E", "-S", "-m", "proofs_check.verify"]

    def run(*arguments):
        return subprocess.run(
            [*command, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
        )

    best = best_certificate(best_randomized(Instance.of(parse_tree("star:3"), 2)))
    file = tmp_path / "c.json"
    for found, claim in ((HONEST["rlt"], "exact 2/1"), (best, "exact 3/2")):
        file.write_text(json.dumps(found))
        done = run("c.json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["claim"] == claim
    file.write_text("{}")
    refused = run("c.json")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    file.write_text(json.dumps({**HONEST["rlt"], "digest": "0" * 64}))
    assert run("c.json").returncode == 1
    assert run().returncode == 2


@pytest.mark.parametrize(
    ("capacity", "fine"), [(0, False), (1, True), (1 << 30, True), ((1 << 30) + 1, False)]
)
def test_capacities_are_from_1_to_2_to_the_30(capacity, fine):
    instance = {"parents": [0], "capacity": capacity, "requestable": [1]}
    if fine:
        assert read_tree(instance).capacity == capacity
    else:
        with pytest.raises(Malformed, match=r"instance\.capacity"):
            read_tree(instance)
