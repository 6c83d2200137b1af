"""`kvtheory exact`: its JSON is a contract, its certificates verify, and bad input is one line."""

import json

import pytest

from kvtheory.cli import run

KEYS = [
    "schema",
    "tree",
    "capacity",
    "policy",
    "requestable",
    "dropped",
    "ratio",
    "lower",
    "upper",
    "prefix",
    "cycle",
    "states",
    "states_reduced",
    "transitions",
    "seconds",
]


def call(capsys, *arguments, code=0):
    assert run(list(arguments)) == code
    return capsys.readouterr()


def exact(capsys, tree, capacity, policy, *options, code=0):
    arguments = ["--tree", tree, "--capacity", str(capacity), "--policy", policy, *options]
    return call(capsys, "exact", *arguments, "--json", "-", code=code)


def test_the_contract(capsys):
    found = json.loads(exact(capsys, "star:4", 3, "lru").out)
    assert list(found) == KEYS
    assert found["tree"] == [0, 0, 0, 0]
    assert found["requestable"] == [1, 2, 3, 4]
    assert (found["capacity"], found["policy"], found["dropped"]) == (3, "lru", [])
    assert found["ratio"] == found["lower"] == found["upper"] == "3/1"
    assert (found["states"], found["states_reduced"], found["transitions"]) == (89, 6, 24)
    assert found["prefix"] == [1, 2, 3]
    assert set(found["cycle"]) == {1, 2, 3, 4}
    assert found["seconds"] > 0


@pytest.mark.parametrize(
    ("tree", "capacity", "policy", "ratio"),
    [
        ("star:5", 3, "rlt", "8/3"),
        ("star:3", 2, "mru", "inf"),
        ("path:4", 2, "lru", "1/1"),
        ("0,0,1,1", 2, "fifo", "1/1"),
    ],
)
def test_ratios_are_written_as_fractions(capsys, tree, capacity, policy, ratio):
    assert json.loads(exact(capsys, tree, capacity, policy).out)["ratio"] == ratio


def test_for_people(capsys):
    out = call(capsys, "exact", "--tree", "star:4", "--capacity", "3", "--policy", "rlt").out
    assert "ratio  11/6" in out


@pytest.mark.parametrize("policy", ["lru", "fifo", "mru", "marking", "rlt"])
def test_the_certificate_verifies(capsys, tmp_path, policy):
    file = tmp_path / "c.json"
    found = json.loads(exact(capsys, "star:4", 3, policy, "--certificate", str(file)).out)
    out = call(capsys, "verify", str(file)).out
    assert f"exact {found['ratio']}" in out
    forged = json.loads(file.read_text())
    forged["instance"]["capacity"] = 2
    file.write_text(json.dumps(forged))
    assert call(capsys, "verify", str(file), code=1).err.count("\n") == 1
    forged["instance"]["capacity"] = "2"
    file.write_text(json.dumps(forged))
    assert "instance.capacity" in call(capsys, "verify", str(file), code=2).err


def test_requestable(capsys):
    terminals = json.loads(exact(capsys, "0,0,1,1,2,5", 3, "lru", "--requestable", "terminals").out)
    assert (terminals["requestable"], terminals["dropped"]) == ([3, 4, 6], [])
    cut = json.loads(exact(capsys, "0,0,1,1,2,5", 2, "lru", "--requestable", "terminals").out)
    assert (cut["requestable"], cut["dropped"]) == ([3, 4, 5], [6])
    some = json.loads(exact(capsys, "0,0,1,1,2,5", 3, "lru", "--requestable", "3,5").out)
    assert some["requestable"] == [3, 5]
    everything = json.loads(exact(capsys, "star:3", 2, "lru", "--requestable", "all").out)
    assert everything["requestable"] == [1, 2, 3]


def test_a_budget_that_runs_out(capsys, tmp_path):
    file = tmp_path / "c.json"
    options = ["--budget", "3", "--certificate", str(file)]
    found = json.loads(exact(capsys, "star:6", 5, "lru", *options, code=3).out)
    assert (found["ratio"], found["lower"], found["upper"]) == (None, "1/1", "5/1")
    assert "lower 1/1" in call(capsys, "verify", str(file)).out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["star:4", "0", "lru"], 2, "capacity 0"),
        (["star:4", "-3", "lru"], 2, "capacity -3"),
        (["star:4", "many", "lru"], 2, "capacity"),
        (["star:4", "3", "lfu"], 2, "declares no finite range"),
        (["star:4", "3", "lrv"], 2, "did you mean 'lru'"),
        (["0,0,5", "3", "lru"], 2, "node 3 has parent 5"),
        (["ring:3", "3", "lru"], 2, "no shape is named 'ring'"),
        (["path:3", "2", "lru", "--requestable", "3"], 2, "longer than the capacity"),
        (["path:3", "2", "lru", "--requestable", "1,x"], 2, "requestable"),
        (["path:3", "2", "lru", "--requestable", "0"], 2, "requestable"),
        (["star:3", "2", "lru", "--budget", "0"], 2, "budget"),
        (["star:100", "2", "lru"], 2, "100 nodes"),
        (["star:40", "20", "lru"], 3, "cache states"),
        (["star:3", "2", "lru", "--certificate", "/nowhere/c.json"], 2, "/nowhere/c.json"),
    ],
)
def test_one_line_for_bad_input(capsys, arguments, code, message):
    tree, capacity, policy, *options = arguments
    captured = exact(capsys, tree, capacity, policy, *options, code=code)
    assert captured.err.count("\n") == 1
    assert message in captured.err
    assert captured.out == ""
