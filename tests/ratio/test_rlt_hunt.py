"""RLT's conjecture 2 H_w - 1: where it holds, and the tree that breaks it; the clean nodes of its phases.

The tables in docs/_static/requestable are made by tests/benchmarks/hunt_rlt.py and table_rlt.py.
"""

import hashlib
import importlib.util
import json
import os
from fractions import Fraction
from pathlib import Path

import pytest

from kvtheory.engine.reference import ReferenceEngine
from kvtheory.model import PrefixTree
from kvtheory.policies.rlt import RLT
from kvtheory.ratio.game import exact_ratio
from kvtheory.ratio.instance import Instance
from kvtheory.testing.chances import advance, certain
from kvtheory.testing.instances import SmallOptimum, all_trees
from kvtheory.width import harmonic, width
from proofs_check.verify import verify

FOLDER = Path(__file__).parents[2] / "docs" / "_static" / "requestable"
BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
HUNT = json.loads((FOLDER / "rlt_hunt.json").read_text(encoding="utf-8"))
SEVEN = json.loads((FOLDER / "rlt_seven.json").read_text(encoding="utf-8"))
DEEP = os.environ.get("KVTHEORY_DEEP") == "1"
deep = pytest.mark.skipif(not DEEP, reason="set KVTHEORY_DEEP=1")


def script(name):
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("table", [HUNT, SEVEN], ids=["hunt", "seven"])
def test_the_tables_are_as_they_were_written(table):
    text = json.dumps(table["rows"], separators=(",", ":"))
    assert hashlib.sha256(text.encode()).hexdigest() == table["sha256"]


def in_the_long_run(tree, capacity, cycle, rounds=9):
    """What RLT and OPT pay in each round: the reference engine's draws, and work functions."""
    engine = ReferenceEngine(PrefixTree.from_parents(tree), capacity, RLT)
    belief, optimum = certain(engine), SmallOptimum(tuple(tree), capacity)
    work, paid = optimum.start, []
    for _ in range(rounds):
        alg, opt = Fraction(0), 0
        for v in cycle:
            belief, misses = advance(engine, belief, v)
            alg += misses
            work, increase = optimum.step(work, v)
            opt += increase
        paid.append((alg, opt))
    return paid


def test_the_tree_that_breaks_the_conjecture():
    """Four chains of two nodes, k = 6: 10 misses for every 3 of OPT; 2 H_4 - 1 = 19/6."""
    tree, cycle = [0, 1, 0, 3, 0, 5, 0, 7], [8, 5, 2, 6, 8, 3, 6, 4, 8, 1, 4, 2]
    paid = in_the_long_run(tree, 6, cycle)
    assert paid[1:] == [(10, 3)] * 8
    w = width(PrefixTree.from_parents(tree), 6)
    assert Fraction(10, 3) > 2 * w.harmonic_w() - 1 == Fraction(19, 6)
    assert Fraction(10, 3) > w.W - 1


def test_its_certificate_is_accepted_by_the_verifier_and_no_larger_claim_is():
    text = (FOLDER / "rlt_refutation.json").read_text(encoding="utf-8")
    certificate = json.loads(text)
    assert certificate["claim"] == {"ratio": "10/3", "kind": "lower"}
    verify(certificate)
    certificate["claim"]["ratio"] = "7/2"
    with pytest.raises(Exception, match=r".+"):
        verify(certificate)


def test_exact_ratios_of_cycles_against_the_reference_engine():
    hunt = script("hunt_rlt")
    for (name, k), cycle in hunt.KNOWN.items():
        tree = dict(hunt.families())[name]
        if len(tree) > 8:
            continue
        misses, _ = hunt.exact(hunt.Table(tree, k), cycle)
        paid = in_the_long_run(tree, k, cycle, 24)
        alg, opt = (sum(column) for column in zip(*paid[12:], strict=True))
        assert abs(alg / opt - misses) < Fraction(1, 1000)


def test_clean_nodes_of_the_known_cycles():
    """The sum of E[c_i] over OPT: above 33/16, which earlier searches reached."""
    hunt = script("hunt_rlt")
    shapes = dict(hunt.families())

    def clean(name, k):
        return hunt.exact(hunt.Table(shapes[name], k), hunt.KNOWN[name, k])[1]

    assert clean("chains:2,1,1,1,1", 3) == Fraction(33, 16)
    assert clean("chains:2,1,1,1,1,1", 4) == Fraction(17, 8)
    assert clean("chains:2,2,1,1,1,1", 5) == Fraction(85, 38)


def test_replay_in_floats_is_the_exact_ratio():
    hunt = script("hunt_rlt")
    name, k = "chains:2,2,1,1,1,1", 5
    table, cycle = hunt.Table(dict(hunt.families())[name], k), hunt.KNOWN[name, k]
    arrays = (table.masks, table.add, table.drop, table.paths, table.size, k)
    misses, clean, paid = hunt.replay(hunt.np.array(cycle), 60, *arrays)
    exact = hunt.exact(table, cycle)
    assert misses / paid == pytest.approx(float(exact[0]))
    assert clean / paid == pytest.approx(float(exact[1]))


def test_a_sample_of_the_hunt_is_computed_again():
    hunt = script("hunt_rlt")
    proved = [row for row in HUNT["rows"] if row["misses"] and row["clean"]]
    for row in proved[:: 1 if DEEP else 60]:
        table = hunt.Table(tuple(row["tree"]), row["k"])
        assert str(hunt.exact(table, row["misses_cycle"])[0]) == row["misses"]
        assert str(hunt.exact(table, row["clean_cycle"])[1]) == row["clean"]
        w = width(PrefixTree.from_parents(row["tree"]), row["k"]).w
        assert str(2 * harmonic(w) - 1) == row["conjecture"]
        assert Fraction(row["clean"]) <= 4
        assert Fraction(row["misses"]) <= 4 * harmonic(w)


def test_seven_nodes():
    """All but 5 of 379 are proved to be within 2 H_w - 1; with k + 1 nodes RLT is at H_{W-1}."""
    above, optimal, settled = 0, 0, 0
    assert len(SEVEN["rows"]) == sum(
        1 for parents in all_trees(7) for _ in range(max(2, PrefixTree.from_parents(parents).height), 7)
    )
    for _, k, lower, upper, _, _, W, w in SEVEN["rows"]:
        conjectured = max(Fraction(1), 2 * harmonic(w) - 1)
        assert Fraction(lower) <= conjectured
        above += Fraction(upper) > conjectured
        settled += lower == upper
        if k == 6:
            optimal += 1
            assert lower == upper == str(harmonic(max(1, W - 1)))
    assert (above, settled, optimal) == (5, 372, 114)


@pytest.mark.parametrize("at", range(0, 379, 1 if DEEP else 40))
def test_a_sample_of_the_trees_of_seven_nodes_is_computed_again(at):
    parents, k, lower, upper, complete, states, W, w = SEVEN["rows"][at]
    if not DEEP and not (complete and states < 3000):
        pytest.skip("slow")
    assert script("table_rlt").row(parents, k) == [parents, k, lower, upper, complete, states, W, w]


@deep
def test_fifo_is_W_minus_1_up_to_7_nodes():
    from kvtheory.policies.fifo import LeafFIFO

    cases = 0
    for n in range(3, 8):
        for parents in all_trees(n):
            tree = PrefixTree.from_parents(parents)
            for k in range(max(2, tree.height), n):
                ratio = exact_ratio(Instance.of(tree, k), LeafFIFO).ratio
                assert ratio == max(1, width(tree, k).W - 1)
                cases += 1
    assert cases == 565
