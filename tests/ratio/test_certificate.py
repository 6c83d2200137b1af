"""Certificates: what the solver writes, the verifier accepts, and both find the same positions."""

import json

import pytest

from kvtheory.errors import LimitError
from kvtheory.model import PrefixTree
from kvtheory.ratio.certificate import VERIFIER_KNOWS, certificate, sign, write_certificate
from kvtheory.ratio.game import play
from kvtheory.ratio.instance import Instance
from kvtheory.registry import policies
from kvtheory.shapes import parse_tree
from kvtheory.testing.instances import all_trees
from kvtheory.testing.probes import AllTied, MarkingFifo, SoftMarking
from proofs_check.verify import POLICIES, digest, load, verify


def prove(tree, capacity, policy, requestable=None, **options):
    game = Instance.of(parse_tree(tree), capacity, requestable)
    return play(game, policy, **options)


def test_the_verifier_knows_what_we_think_it_knows():
    assert set(VERIFIER_KNOWS) == set(POLICIES)


@pytest.mark.parametrize("name", [name for name in VERIFIER_KNOWS if name != "random"])
def test_every_small_tree(name):
    for n in range(1, 5):
        for parents in all_trees(n):
            for capacity in range(1, n + 1):
                game = Instance.of(PrefixTree.from_parents(parents), capacity)
                found = certificate(play(game, policies()[name], budget=2000))
                assert found["claim"]["kind"] == "exact"
                verify(load(json.dumps(found)))


@pytest.mark.parametrize(
    ("tree", "capacity", "policy", "positions"),
    [
        ("star:4", 3, "lru", 89),
        ("star:5", 4, "fifo", 2726),
        ("star:5", 4, "marking", 566),
        ("star:5", 3, "rlt", 906),
        ("binary:2", 4, "rlt", None),
        ("comb:3", 4, "lru", None),
    ],
)
def test_positions_are_the_concrete_states(tree, capacity, policy, positions):
    game = prove(tree, capacity, policies()[policy])
    found = verify(certificate(game))
    assert found["positions"] == str(game.states)
    assert positions in (None, game.states)


@pytest.mark.parametrize("policy", [AllTied, MarkingFifo, SoftMarking], ids=lambda policy: policy.name)
@pytest.mark.parametrize("tree", ["star:3", "0,0,1,0"])
def test_other_policies_carry_their_automaton(policy, tree):
    game = prove(tree, 2, policy, budget=500)
    if not game.player.complete:
        with pytest.raises(LimitError, match="does not close"):
            certificate(game)
        return
    found = certificate(game)
    assert found["automaton"]["next"]
    assert verify(found)["policy"] == f"the automaton given for {policy.name}"


def test_requestable_nodes_and_dropped_ones():
    found = certificate(prove("0,0,1,1,2,5", 3, policies()["lru"], [3, 4, 5]))
    assert verify(found)["claim"].startswith("exact")
    dropped = certificate(prove("0,1,2,0", 2, policies()["rlt"]))
    assert verify(dropped)["claim"].startswith("exact")


def test_a_cover_proves_the_ratio_where_the_graph_is_open():
    found = certificate(prove("0,0,0,1,2", 3, policies()["rlt"]))
    assert found["claim"] == {"ratio": "2/1", "kind": "exact"}
    assert len(found["upper"]["cover"]["anchors"]) > 100
    assert verify(found)["claim"] == "exact 2/1"


def test_a_lower_bound_is_certified_where_the_upper_one_does_not_meet_it():
    found = certificate(prove("star:6", 5, policies()["lru"], budget=4))
    assert found["claim"]["kind"] == "lower"
    assert found["upper"] is None
    verify(found)


def test_infinite_ratios():
    found = certificate(prove("star:3", 2, policies()["mru"]))
    assert found["claim"] == {"ratio": "inf", "kind": "exact"}
    assert verify(found)["claim"] == "exact inf"


def test_too_large_for_a_file():
    with pytest.raises(LimitError, match="3,163,690 positions"):
        certificate(prove("star:9", 8, policies()["lru"]))


def test_the_file(tmp_path):
    found = certificate(prove("star:3", 2, policies()["lru"]))
    write_certificate(tmp_path / "c.json", found)
    read = load((tmp_path / "c.json").read_text())
    assert read == found == sign(found)
    assert digest(read) == read["digest"]
