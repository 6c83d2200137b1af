"""Sweeps: every cell once, resumable, whole files only."""

import json

import pytest

from kvtheory.cli import run
from kvtheory.errors import InputError
from kvtheory.sweep import read_plan, run_sweep

PLAN = """
output = "out"
sources = ["cyclic:prompts=5,requests=40", "zipf:documents=20,requests=60"]
capacity = "3,50%"
policies = "lru,rlt"
seeds = 2
"""


@pytest.fixture
def plan(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "plan.toml"
    file.write_text(PLAN)
    return file


def test_a_sweep_is_its_ratio_runs_in_order(plan, capsys):
    summary = run_sweep(read_plan(plan), jobs=1)
    assert (summary.cells, summary.computed, summary.kept) == (4, 4, 0)
    lines = [json.loads(line) for line in summary.results.read_text().splitlines()]
    assert [(line["source"].partition(":")[0], line["runs"][0]["capacity"]) for line in lines] == [
        ("cyclic", 3),
        ("cyclic", 2),
        ("zipf", 3),
        ("zipf", 81),
    ]
    arguments = ["--capacity", "50%", "--policies", "lru,rlt", "--seeds", "2", "--json", "-"]
    assert run(["ratio", "zipf:documents=20,requests=60", *arguments]) == 0
    direct = json.loads(capsys.readouterr().out)
    for a, b in zip(direct["runs"][0]["policies"], lines[3]["runs"][0]["policies"], strict=True):
        assert (a["name"], a["misses"], a["ci95"]) == (b["name"], b["misses"], b["ci95"])


def test_no_processes_are_refused(plan, capsys):
    assert run(["sweep", str(plan), "--jobs", "0"]) == 2
    assert "jobs" in capsys.readouterr().err


def test_resume_computes_only_what_is_missing(plan):
    first = run_sweep(read_plan(plan), jobs=2)
    cells = sorted((plan.parent / "out" / "cells").iterdir())
    before = first.results.read_text()
    cells[0].unlink()
    cells[1].write_text("{")  # as a crash of the file system might leave it
    with pytest.raises(InputError, match="--resume"):
        run_sweep(read_plan(plan), jobs=1)
    again = run_sweep(read_plan(plan), jobs=1, resume=True)
    assert (again.computed, again.kept) == (2, 2)
    assert again.results.read_text() == before


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("seeds = 2", 'seeds = "2"'), "seeds"),
        (("seeds = 2", "seeds = true"), "seeds"),
        (("seeds = 2", "sedes = 2"), "sedes"),
        (('policies = "lru,rlt"', 'policies = "lru,rtl"'), "did you mean"),
        (('capacity = "3,50%"', 'capacity = "0"'), "capacity"),
        (('capacity = "3,50%"', ""), "capacity"),
        (("sources = [", "sources = [3,"), "sources"),
        (("output =", "output"), "plan.toml"),
        (("seeds = 2", 'measure = "bytes"'), "measure"),
        (("seeds = 2", "seeds = 0"), "plan.toml: field 'seeds'"),
        (("seeds = 2", "warmup = 1"), "plan.toml: field 'warmup'"),
        (("seeds = 2", 'on_conflict = "x"'), "plan.toml: field 'on_conflict'"),
        (('capacity = "3,50%"', 'capacity = "3,3"'), "twice"),
        (('output = "out"', 'output = "a\\u0000b"'), "output"),
    ],
)
def test_bad_plans(plan, capsys, change, says):
    plan.write_text(PLAN.replace(*change))
    assert run(["sweep", str(plan)]) == 2
    assert says in capsys.readouterr().err
    assert not (plan.parent / "out").exists()
