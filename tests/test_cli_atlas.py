"""`kvtheory atlas`: its files are a contract, it resumes, and bad input is one line."""

import csv
import json
import xml.etree.ElementTree as ElementTree

import pytest

from kvtheory.cli import run

ROW = ["parents", "n", "k", "W", "w", "law", "harmonic", "policies"]
FIGURE = [
    "ratio",
    "lower",
    "upper",
    "prefix",
    "cycle",
    "states",
    "states_reduced",
    "kind",
    "by",
    "verified",
    "reason",
]
FAST = ["--policies", "lru,rlt,best-randomized", "--jobs", "1"]


def atlas(capsys, *arguments, code=0):
    assert run(["atlas", *map(str, arguments)]) == code
    return capsys.readouterr()


def test_the_contract(tmp_path, capsys):
    folder = tmp_path / "atlas"
    said = atlas(capsys, "--nodes", 4, *FAST, "-o", folder).out
    assert said.splitlines()[-1] == f"19 instances, 57 cells computed, 0 kept: {folder / 'atlas.jsonl'}"
    assert said.splitlines()[1].split()[:4] == ["lru", "19", "of", "19"]
    assert {file.name for file in folder.iterdir()} == {
        "cells",
        "atlas.jsonl",
        "atlas.csv",
        "atlas.svg",
        "atlas.seconds.csv",
    }
    rows = [json.loads(line) for line in (folder / "atlas.jsonl").read_text().splitlines()]
    assert all(list(row) == ROW for row in rows)
    assert all(list(figure) == FIGURE for row in rows for figure in row["policies"].values())
    star = rows[-1]
    assert (star["parents"], star["k"], star["W"], star["w"]) == ([0, 0, 0, 0], 3, 4, 3)
    assert (star["law"], star["harmonic"]) == ("3/1", "11/6")
    assert {name: known["ratio"] for name, known in star["policies"].items()} == {
        "lru": "3/1",
        "rlt": "11/6",
        "best-randomized": "11/6",
    }
    assert all(known["verified"] is True for known in star["policies"].values())
    with (folder / "atlas.csv").open(newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert len(lines) == 57
    assert lines[-3] | {"states": "", "states_reduced": ""} == {
        "parents": "0 0 0 0",
        "n": "4",
        "k": "3",
        "W": "4",
        "w": "3",
        "law": "3/1",
        "harmonic": "11/6",
        "policy": "lru",
        "ratio": "3/1",
        "lower": "3/1",
        "upper": "3/1",
        "kind": "rational",
        "by": "game",
        "verified": "true",
        "states": "",
        "states_reduced": "",
    }
    picture = ElementTree.parse(folder / "atlas.svg").getroot()
    titles = [element.text for element in picture.iter("{http://www.w3.org/2000/svg}title")]
    assert sum("--capacity" in title for title in titles) == 19
    with (folder / "atlas.seconds.csv").open(newline="") as stream:
        assert all(float(line["seconds"]) > 0 for line in csv.DictReader(stream))


def test_resume_keeps_what_is_finished(tmp_path, capsys):
    atlas(capsys, "--nodes", 3, *FAST, "-o", tmp_path)
    before = (tmp_path / "atlas.jsonl").read_bytes()
    assert "--resume" in atlas(capsys, "--nodes", 3, *FAST, "-o", tmp_path, code=2).err
    next((tmp_path / "cells").iterdir()).unlink()
    said = atlas(capsys, "--nodes", 3, *FAST, "-o", tmp_path, "--resume").out
    assert "1 cells computed, 14 kept" in said
    assert (tmp_path / "atlas.jsonl").read_bytes() == before
    said = atlas(capsys, "--nodes", 4, *FAST, "-o", tmp_path, "--resume").out
    assert "42 cells computed, 15 kept" in said


def test_every_policy_is_there(tmp_path, capsys):
    from kvtheory.registry import policies

    atlas(capsys, "--nodes", 2, "--jobs", 1, "-o", tmp_path)
    (row,) = [json.loads(line) for line in (tmp_path / "atlas.jsonl").read_text().splitlines()]
    assert list(row["policies"]) == [*sorted(policies()), "best-deterministic", "best-randomized"]
    refused = row["policies"]["lfu"]
    assert (refused["kind"], refused["ratio"], refused["by"]) == ("refused", None, None)
    assert "count" in refused["reason"]


def test_certificates_can_be_left_out(tmp_path, capsys):
    arguments = ["--nodes", 3, "--policies", "lru,rlt", "--jobs", 1, "-o", tmp_path]
    said = atlas(capsys, *arguments, "--certify", 0).out
    assert said.splitlines()[1].split()[:5] == ["lru", "5", "of", "5", "0"]
    rows = [json.loads(line) for line in (tmp_path / "atlas.jsonl").read_text().splitlines()]
    figures = [known for row in rows for known in row["policies"].values()]
    assert {known["verified"] for known in figures} == {None}
    assert all("positions" in known["reason"] for known in figures)


def test_a_budget_that_runs_out_is_said(tmp_path, capsys):
    arguments = ["--nodes", 4, "--policies", "rlt", "--jobs", 1, "--budget", 2, "-o", tmp_path]
    assert "rlt" in atlas(capsys, *arguments, code=3).out
    rows = [json.loads(line) for line in (tmp_path / "atlas.jsonl").read_text().splitlines()]
    assert {row["policies"]["rlt"]["kind"] for row in rows} == {"rational", "numeric"}


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--nodes", "1"], "nodes"),
        (["--nodes", "11"], "nodes"),
        (["--nodes", "3", "--policies", "lrv"], "lru"),
        (["--nodes", "3", "--policies", "lru,lru"], "twice"),
        (["--nodes", "3", "--jobs", "0"], "jobs"),
        (["--nodes", "3", "--budget", "0"], "budget"),
        (["--nodes", "3", "--certify", "-1"], "certify"),
    ],
)
def test_bad_input_is_one_line(tmp_path, capsys, arguments, word):
    said = atlas(capsys, *arguments, "-o", tmp_path / "atlas", code=2)
    assert word in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    said = atlas(capsys, "--nodes", 3, *FAST, "-o", tmp_path / "file", code=2)
    assert said.err.count("\n") == 1
