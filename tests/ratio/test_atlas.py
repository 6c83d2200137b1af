"""The committed atlas is what the program computes, and holds the values of THEORY that it covers."""

import hashlib
import json
import random
from collections import Counter
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from kvtheory.engine.reference import ReferenceEngine
from kvtheory.errors import InputError, VerificationError
from kvtheory.model import PrefixTree, Trace
from kvtheory.offline.belady import belady
from kvtheory.ratio import atlas as module
from kvtheory.ratio import atlas_theorems
from kvtheory.ratio.atlas import figure, find, head, instances, make_atlas
from kvtheory.ratio.atlas_forests import canonical, forests
from kvtheory.ratio.belief import belief_graph
from kvtheory.ratio.instance import Instance
from kvtheory.registry import policies
from kvtheory.report.atlas import complete, counts, lines, read_atlas, value, write_atlas
from kvtheory.report.atlas_picture import layout, picture
from kvtheory.testing.instances import all_trees
from kvtheory.width import harmonic
from proofs_check.random_leaf import drifts

FOLDER = Path(__file__).parents[2] / "docs" / "_static" / "atlas"
RANKED = ("lru", "fifo", "marking", "mru", "recursive_lru")


@pytest.fixture(scope="module")
def six():
    return read_atlas(FOLDER / "atlas.jsonl")


@pytest.fixture(scope="module")
def seven():
    return read_atlas(FOLDER / "deterministic7.jsonl")


def game(row):
    return Instance.of(PrefixTree.from_parents(row["parents"]), row["k"])


# --- which instances ---


def shape(parents):
    """The nested form of a forest, sorted: an isomorphism test that shares nothing with `canonical`."""
    below = [[] for _ in range(len(parents) + 1)]
    for v in range(len(parents), -1, -1):
        form = tuple(sorted(below[v]))
        if v == 0:
            return form
        below[parents[v - 1]].append(form)


def test_forests_are_counted_as_rooted_trees():
    # OEIS A000081, one node more for the root
    assert [sum(1 for _ in forests(n)) for n in range(1, 9)] == [1, 2, 4, 9, 20, 48, 115, 286]
    for n in range(1, 7):
        assert {shape(p) for p in forests(n)} == {shape(p) for p in all_trees(n)}


def test_isomorphic_forests_have_one_canonical_form():
    dice = random.Random(5)
    for n in range(1, 8):
        for parents in all_trees(n):
            form = canonical(parents)
            assert shape(form) == shape(parents)
            assert canonical(form) == form
            order = sorted(range(1, n + 1), key=lambda v: (depth(parents, v), dice.random()))
            number = {0: 0} | {v: i for i, v in enumerate(order, start=1)}
            assert canonical([number[parents[v - 1]] for v in order]) == form
    assert canonical((0, 1, 2, 2, 0, 5, 5, 5), 2) == canonical((0, 0, 1, 2, 2, 2)) == (0, 1, 1, 1, 0, 5)


def depth(parents, v):
    return 1 + depth(parents, parents[v - 1]) if v else 0


def test_instances_are_those_of_the_theory():
    six, seven = list(instances(6)), list(instances(7))
    assert (len(six), sum(k >= 2 for _, k in six)) == (191, 186)
    assert (len(seven), sum(k >= 2 for _, k in seven)) == (571, 565)
    assert len(set(seven)) == 571
    for nodes in (0, 1, 11):
        with pytest.raises(InputError, match="nodes"):
            list(instances(nodes))


def test_what_is_left_out_is_trivial_or_smaller(six):
    """Every tree of at most 5 nodes and every capacity, cut and trivial ones too."""
    for n in range(1, 6):
        for parents in all_trees(n):
            for k in range(1, n + 2):
                instance = Instance.of(PrefixTree.from_parents(parents), k)
                found = module.solve_exact(instance, "best-deterministic", None).result().to_json()["ratio"]
                row = find(six, parents, k)
                assert found == (row["policies"]["best-deterministic"]["ratio"] if row else "1/1")
    with pytest.raises(KeyError):
        find(six, [0] * 7, 3)


# --- the committed files ---


def test_the_committed_files_are_whole():
    sums = dict(line.split()[::-1] for line in (FOLDER / "SHA256SUMS").read_text().splitlines())
    assert set(sums) == {
        "atlas.jsonl",
        "atlas.csv",
        "atlas.svg",
        "deterministic7.jsonl",
        "deterministic7.csv",
    }
    for name, digest in sums.items():
        assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == digest, name


def test_csv_and_picture_are_made_from_the_rows(six, seven):
    for name, rows in (("atlas", six), ("deterministic7", seven)):
        text = (FOLDER / f"{name}.csv").read_text().splitlines()
        assert len(text) == 1 + sum(len(row["policies"]) for row in rows)
        made = [",".join("" if x is None else str(x) for x in line) for line in lines(rows)]
        assert text == made
    assert (FOLDER / "atlas.svg").read_text(encoding="utf-8") == picture(six)


def test_rows_are_the_instances_with_their_widths(six, seven):
    for rows, n in ((six, 6), (seven, 7)):
        assert [(tuple(row["parents"]), row["k"]) for row in rows] == list(instances(n))
        for row in rows:
            assert head(tuple(row["parents"]), row["k"]) | {"policies": row["policies"]} == row


@pytest.mark.parametrize("seed", range(6))
def test_a_random_sample_is_computed_again(six, seven, seed):
    dice = random.Random(seed)
    cheap = [
        (row, name)
        for row in six + seven
        for name, known in row["policies"].items()
        if (known["states"] or 0) < 700 and known["by"] != "theorem"
    ]
    for row, name in dice.sample(cheap, 12):
        assert figure(game(row), name) == row["policies"][name], (row["parents"], row["k"], name)


def test_cycles_force_the_ratio_on_the_reference_engine(six):
    """Replayed by the plain engine, against Belady on the whole trace: nothing of the game is used."""
    for row in random.Random(11).sample(six, 40):
        tree, k = PrefixTree.from_parents(row["parents"]), row["k"]
        for name in RANKED:
            known = row["policies"][name]
            paid, owed = [], []
            for times in (6, 12):
                requests = known["prefix"] + known["cycle"] * times
                hits, _ = ReferenceEngine(tree, k, policies()[name]).run(requests)
                paid.append(
                    sum(int(tree.depth[v] - tree.depth[u]) for v, u in zip(requests, hits, strict=True))
                )
                trace = Trace(tree, np.array(requests, dtype=np.int32))
                optimal = belady(trace, k).hit
                owed.append(int((tree.depth[trace.requests] - tree.depth[optimal]).sum()))
            more, least = paid[1] - paid[0], owed[1] - owed[0]
            if known["ratio"] == "inf":
                assert (more > 0, least) == (True, 0)
            elif known["ratio"] == "1/1":
                assert more == least
            else:
                assert Fraction(more, least) == Fraction(known["ratio"])


def test_every_ratio_is_rational_and_its_certificate_was_accepted(six, seven):
    for row in six:
        for name, known in row["policies"].items():
            assert known["kind"] == ("refused" if name == "lfu" else "rational")
            assert known["verified"] or known["by"] == "theorem" or name == "lfu"
            assert (known["by"] == "theorem") == (name == "random" and row["W"] > 2)
    for row in seven:
        for known in row["policies"].values():
            assert known["kind"] == "rational"
            assert known["verified"] or "positions" in known["reason"]


# --- what THEORY lists, items 4 to 9 ---


def test_the_width_law_on_571_instances(seven):
    """Items 4 and 5: leaf-LRU, leaf-FIFO, the best deterministic algorithm; 89 trees of n = 7 at k = 4."""
    assert len(seven) == 571
    for row in seven:
        ratios = {row["policies"][name]["ratio"] for name in ("lru", "fifo", "best-deterministic")}
        assert ratios == {row["law"]} == {f"{max(1, row['W'] - 1)}/1"}
    here = [row for row in seven if (row["n"], row["k"]) == (7, 4)]
    assert Counter(row["policies"]["lru"]["ratio"] for row in here) == {
        "1/1": 9,
        "2/1": 44,
        "3/1": 31,
        "4/1": 5,
    }
    assert len(here) == 89


def test_states_of_stars(seven):
    """Item 5: product states of leaf-LRU and leaf-FIFO, and work functions, on the star with k + 1 leaves."""
    listed = {
        "lru": [16, 89, 566, 4117, 33860],
        "fifo": [16, 257, 2726, 33637, 477380],
        "best-deterministic": [10, 25, 56, 119, 246],
    }
    for name, states in listed.items():
        found = [find(seven, [0] * (k + 1), k)["policies"][name] for k in range(2, 7)]
        assert [known["states"] for known in found] == states
        assert [known["ratio"] for known in found] == [f"{k}/1" for k in range(2, 7)]


def test_the_best_randomised_ratio_on_186_instances(six):
    """Item 6, and that 57 of them have at most 5 nodes."""
    competing = [row for row in six if row["k"] >= 2]
    assert (len(competing), sum(row["n"] <= 5 for row in competing)) == (186, 57)
    for row in six:
        assert value(row, "best-randomized") == harmonic(max(1, row["W"] - 1))


def test_caps_of_rlt(six):
    """Item 7, proved and conjectured."""
    for row in six:
        h = harmonic(row["w"])
        assert value(row, "best-randomized") <= value(row, "rlt") <= 2 * h - 1 <= 4 * h


def test_rlt_on_stars_and_where_it_loses(six):
    """Item 9."""
    listed = {
        (3, 2): "3/2",
        (4, 2): "2/1",
        (5, 2): "2/1",
        (4, 3): "11/6",
        (5, 3): "8/3",
        (6, 3): "8/3",
        (5, 4): "25/12",
        (6, 4): "19/6",
    }
    for (n, k), ratio in listed.items():
        assert find(six, [0] * n, k)["policies"]["rlt"]["ratio"] == ratio
    assert value(find(six, [0] * 5, 3), "best-randomized") == Fraction(11, 6)
    chains, twigs = find(six, [0, 1, 0, 3, 0, 5], 4), find(six, [0, 1, 1, 0, 4, 0], 3)
    names = ("rlt", "lru", "best-randomized")
    assert [str(value(chains, name)) for name in names] == ["5/2", "2", "3/2"]
    assert [str(value(twigs, name)) for name in names] == ["25/12", "2", "3/2"]
    assert [row for row in six if value(row, "rlt") > value(row, "lru")] == [twigs, chains]
    full = [row for row in six if row["n"] == row["k"] + 1 and row["k"] >= 2]
    assert len(full) == 77
    assert all(value(row, "rlt") == value(row, "harmonic") for row in full)


# --- the theorem on the uniformly random leaf ---


def test_the_potential_of_the_random_leaf_falls():
    """Every cache, every OPT that holds the path, every request, on all trees of at most 5 nodes."""
    checked = 0
    for parents, k in instances(5):
        instance = Instance.of(PrefixTree.from_parents(parents), k)
        law = Fraction(head(parents, k)["law"])
        for moved, evicted in drifts(instance, int(law)):
            assert moved + evicted <= 0
            checked += 1
    assert checked > 10_000


@pytest.mark.parametrize(("parents", "k"), [((0, 0, 0), 2), ((0, 1, 0, 3, 0), 4), ((0, 1, 1, 0), 3)])
def test_phases_come_near_the_law_of_the_random_leaf(parents, k):
    """The lower bound's sequence, in exact expectation: below W - 1 and within a thousandth of it."""
    instance = Instance.of(PrefixTree.from_parents(parents), k)
    assert instance.tree.n == k + 1  # the widest set is the whole tree
    leaves = [v for v in range(1, k + 2) if v not in parents]
    beliefs = belief_graph(instance, policies()["random"], budget=1).beliefs.without_symmetry()
    belief, paid, rounds = beliefs.start, Fraction(0), 14
    for v in leaves:
        _, belief = beliefs.serve(belief, v)
    for phase in range(4):
        target = leaves[phase % len(leaves)]
        spent = Fraction(0)
        for v in [leaf for leaf in leaves if leaf != target] * rounds:
            cost, belief = beliefs.serve(belief, v)
            spent += cost
        paid = spent
    law = len(leaves) - 1
    assert law - Fraction(1, 1000) < paid < law


def test_a_wrong_theorem_is_contradicted_by_the_game(monkeypatch):
    instance = Instance.of(PrefixTree.from_parents([0, 0, 0]), 2)
    assert figure(instance, "random")["ratio"] == "2/1"
    wrong = atlas_theorems.Bounds(Fraction(5, 2), "nowhere")
    monkeypatch.setattr(module, "theorem", lambda instance, name: wrong)
    with pytest.raises(VerificationError, match="nowhere"):
        figure(instance, "random")


# --- making it ---


def test_a_rejected_certificate_stops_the_atlas(monkeypatch):
    import kvtheory.ratio.certificate

    instance = Instance.of(PrefixTree.from_parents([0, 0, 0]), 2)
    write = kvtheory.ratio.certificate.write_certificate

    def altered(file, found):
        found["lower"]["cycle"].pop()
        write(file, kvtheory.ratio.certificate.sign(found))

    monkeypatch.setattr(kvtheory.ratio.certificate, "write_certificate", altered)
    with pytest.raises(VerificationError):
        figure(instance, "lru")


def test_the_order_of_computation_does_not_matter(tmp_path):
    names = ["lru", "rlt", "lfu", "best-randomized"]
    files = []
    for jobs in (1, 2):
        folder = tmp_path / str(jobs)
        made = make_atlas(3, names, folder / "cells", jobs=jobs)
        assert (made.computed, made.kept, len(made.rows)) == (20, 0, 5)
        files.append(write_atlas(made, folder))
    for one, two in list(zip(*files, strict=True))[:3]:
        assert one.read_bytes() == two.read_bytes()
    assert read_atlas(files[0][0]) == make_atlas(3, names, tmp_path / "1" / "cells", resume=True).rows


def test_bounds_that_do_not_meet_are_numeric(tmp_path):
    rows = make_atlas(4, ["rlt"], tmp_path, jobs=1, budget=2).rows
    open_ones = [row["policies"]["rlt"] for row in rows if row["policies"]["rlt"]["kind"] == "numeric"]
    assert open_ones
    assert not complete(rows)
    for known in open_ones:
        assert known["ratio"] is known["verified"] is None
        assert Fraction(known["lower"]) < Fraction(known["upper"])
    assert counts(rows)[0].rational == len(rows) - len(open_ones)
    assert "≥" in picture(rows)


def test_a_ratio_that_a_theorem_caps_says_so():
    instance = Instance.of(PrefixTree.from_parents([0, 1, 0, 3]), 3)
    cut, whole = figure(instance, "lru", budget=2), figure(instance, "lru")
    assert cut["ratio"] == whole["ratio"] == "1/1"
    assert (cut["by"], cut["verified"]) == ("theorem", None)
    assert (whole["by"], whole["verified"]) == ("game", True)


def test_an_atlas_is_read_with_care(tmp_path):
    with pytest.raises(InputError, match=r"no\.jsonl"):
        read_atlas(tmp_path / "no.jsonl")
    for text in ("", "{", "[1]\n", json.dumps({"parents": [0]}) + "\n"):
        (tmp_path / "atlas.jsonl").write_text(text)
        with pytest.raises(InputError):
            read_atlas(tmp_path / "atlas.jsonl")


def test_trees_are_drawn_without_crossings():
    for parents in forests(6):
        places = layout(parents)
        for level in range(7):
            across = [x for x, d in places if d == level]
            assert len(set(across)) == len(across)
        for v, parent in enumerate(parents, start=1):
            assert places[v][1] == places[parent][1] + 1
