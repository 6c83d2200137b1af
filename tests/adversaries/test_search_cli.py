"""`kvtheory search`: its JSON is a contract, its file replays to what it says, and bad input is one line."""

import json
from fractions import Fraction
from importlib.metadata import entry_points

import pytest

from adversaries import learned
from kvtheory.cli import run

KEYS = [
    "schema",
    "alg",
    "opt",
    "ratio",
    "evaluations",
    "kind",
    "ci95",
    "tree",
    "capacity",
    "policy",
    "requestable",
    "dropped",
    "method",
    "seed",
    "length",
    "prefix",
    "cycle",
    "steps",
]


@pytest.fixture
def search(capsys, tmp_path):
    """Run the command; returns its output and the file."""

    def call(*options, code=0, tree="star:4", capacity=3, policy="lru", file=tmp_path / "worst.jsonl"):
        where = ["--tree", tree, "--capacity", str(capacity), "--policy", policy, "-o", str(file)]
        assert run(["search", *where, *options]) == code
        return capsys.readouterr(), file

    return call


def replayed(capsys, file, capacity, policy):
    assert run(["ratio", str(file), "--capacity", str(capacity), "--policies", policy, "--json", "-"]) == 0
    measured = json.loads(capsys.readouterr().out)
    return measured["runs"][0]["policies"][0]["misses"], measured["runs"][0]["opt"]["misses"]


def test_the_command_is_an_entry_point():
    (point,) = entry_points(group="kvtheory.commands", name="search")
    assert point.value == "adversaries.search.command:search"


@pytest.mark.parametrize("method", ["hill", "beam", "cem"])
def test_the_contract(search, capsys, method):
    options = ["--method", method, "--length", "400", "--evaluations", "300", "--json", "-"]
    printed, file = search(*options)
    found = json.loads(printed.out)
    assert list(found) == KEYS
    assert (found["tree"], found["capacity"], found["policy"]) == ([0, 0, 0, 0], 3, "lru")
    assert (found["kind"], found["ci95"], found["dropped"]) == ("count", None, [])
    assert (found["method"], found["seed"], found["length"]) == (method, 0, 400)
    assert found["requestable"] == [1, 2, 3, 4]
    assert found["evaluations"] <= 300
    assert Fraction(found["ratio"]) == Fraction(found["alg"], found["opt"])
    assert (found["alg"], found["opt"]) == replayed(capsys, file, 3, "lru")
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert len(lines) == 400
    assert {line["block_size"] for line in lines} == {1}
    said = found["prefix"] + found["cycle"] * 400
    assert [line["hash_ids"] for line in lines] == [[v] for v in said[:400]]


def test_hash_ids_are_the_path_from_the_root(search):
    printed, file = search("--evaluations", "50", "--json", "-", tree="0,1,2,0", capacity=3, policy="rlt")
    found = json.loads(printed.out)
    assert found["kind"] == "expectation"
    assert set(found["alg"]) <= set("0123456789/")
    paths = {1: [1], 2: [1, 2], 3: [1, 2, 3], 4: [4]}
    said = (found["prefix"] + found["cycle"] * 1000)[:1000]
    assert [json.loads(line)["hash_ids"] for line in file.read_text().splitlines()] == [
        paths[v] for v in said
    ]


def test_deep_nodes_are_dropped_and_requestable_ones_may_be_named(search):
    options = ["--evaluations", "40", "--json", "-"]
    found = json.loads(search(*options, tree="0,1,2,0,0", capacity=2)[0].out)
    assert (found["requestable"], found["dropped"]) == ([1, 2, 4, 5], [3])
    found = json.loads(search(*options, "--requestable", "2,4", tree="0,1,2,0,0", capacity=2)[0].out)
    assert set(found["cycle"] + found["prefix"]) <= {2, 4}
    said, _ = search("--requestable", "3", tree="0,1,2,0,0", capacity=2, code=2)
    assert "field 'requestable'" in said.err


def test_any_tree(search, capsys):
    printed, file = search("--evaluations", "400", "--json", "-", tree="any:4", capacity=2)
    found = json.loads(printed.out)
    assert len(found["tree"]) == 4
    assert found["evaluations"] <= 400
    assert (found["alg"], found["opt"]) == replayed(capsys, file, 2, "lru")


def test_without_json_a_person_reads_it(search):
    printed, _ = search("--evaluations", "10")
    assert [line.split()[0] for line in printed.out.splitlines()] == KEYS[1:]  # all but the schema


@pytest.mark.parametrize(
    ("options", "kept", "said"),
    [
        (["--length", "0"], {}, "field 'length'"),
        (["--evaluations", "0"], {}, "field 'evaluations'"),
        ([], {"policy": "lrv"}, "did you mean 'lru'"),
        ([], {"capacity": 0}, "field 'capacity'"),
        ([], {"tree": "0,5"}, "field 'parent'"),
        ([], {"tree": "any:x"}, "field 'tree'"),
        ([], {"tree": "any:40"}, "field 'tree'"),
        (["--requestable", "1"], {"tree": "any:4"}, "field 'requestable'"),
        (["--evaluations", "5"], {"tree": "any:6"}, "field 'evaluations'"),
        (["--method", "climb"], {}, "method"),
        ([], {"file": "/nowhere/worst.jsonl"}, "cannot be written"),
    ],
)
def test_bad_input_is_one_line_and_leaves_no_file(search, tmp_path, options, kept, said):
    printed, _ = search(*options, code=2, **kept)
    assert said in printed.err
    assert printed.err.count("\n") == 1
    assert printed.out == ""
    assert not list(tmp_path.iterdir())


def test_a_tree_that_is_too_large_for_the_beam_is_a_limit(search):
    printed, _ = search("--method", "beam", tree="star:30", capacity=20, code=3)
    assert "cache states" in printed.err


def test_learned_needs_torch(search, monkeypatch):
    monkeypatch.setattr(learned, "find_spec", lambda name: None)
    printed, _ = search("--method", "learned", code=2)
    assert "torch" in printed.err
    assert "field 'method'" in printed.err


def test_learned_is_scored_like_the_others(search, capsys):
    pytest.importorskip("torch")
    options = ["--method", "learned", "--length", "60", "--evaluations", "64", "--json", "-"]
    printed, file = search(*options)
    found = json.loads(printed.out)
    assert (found["method"], found["length"], found["kind"]) == ("learned", 60, "count")
    assert (found["alg"], found["opt"]) == replayed(capsys, file, 3, "lru")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--seed", "-1"], "field 'seed'"),
        (["--seed", "99999999999999999999999", "--method", "cem"], "field 'seed'"),
        (["--length", "99999999999999999999"], "field 'length'"),
        (["--length", "10000000000"], "field 'length'"),
    ],
)
def test_numbers_that_are_too_large_or_too_small(search, options, words):
    printed, file = search(*options, code=2)
    assert words in printed.err
    assert printed.err.count("\n") == 1
    assert not file.exists()


@pytest.mark.parametrize("tree", ["any:0", "any:-1", "any:11", "any:x"])
def test_how_many_nodes_any_tree_may_have(search, tree):
    assert "field 'tree'" in search(tree=tree, code=2)[0].err


def test_standard_output_is_given_away_once(search):
    assert "field 'output'" in search("--json", "-", file="-", code=2)[0].err
    lines = search("--length", "5", "--evaluations", "20", file="-")[0].out.splitlines()
    assert len(lines) == 5
    assert all("hash_ids" in json.loads(line) for line in lines)
