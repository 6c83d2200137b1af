"""`kvtheory ratio --policies all`: a league, from fewest misses to most."""

import json
from hashlib import sha256
from pathlib import Path

import pytest

from kvtheory.cli import run
from kvtheory.ratio.empirical import measure_ratios
from kvtheory.registry import every_policy, select_policies
from kvtheory.report.table import COLUMNS, rows
from kvtheory.sources import open_source

FOLDER = Path(__file__).parent.parent / "docs" / "_static" / "league"
SOURCE = "gsp:groups=6,prompts=6,block=256,order=random,seed=1"


def test_order_and_the_share_of_the_gap():
    trace = open_source(SOURCE)
    report = measure_ratios(trace, [60, 10**6], select_policies("fifo,lru,arc,sieve"), seeds=1)
    for league, run_ in zip(split(rows(report, league=True)), report.runs, strict=True):
        opt, *placed = league
        assert opt[3] == "OPT"
        misses = {policy.name: policy.misses for policy in run_.policies}
        assert [line[3] for line in placed] == sorted(misses, key=lambda name: (misses[name], name))
        for line in placed:
            assert len(line) == len(COLUMNS) + 1
            if misses["lru"] == run_.opt_misses:
                assert line[-1] == "-"
            else:
                gap = misses["lru"] - run_.opt_misses
                assert line[-1] == f"{100 * (misses['lru'] - misses[line[3]]) / gap:.1f} %"
    assert report.runs[0].policies[1].misses > report.runs[0].opt_misses, "no gap: the test tests nothing"
    assert report.runs[1].policies[1].misses == report.runs[1].opt_misses


def split(lines):
    """Lines of each capacity."""
    starts = [i for i, line in enumerate(lines) if line[3] == "OPT"]
    return [lines[i:j] for i, j in zip(starts, [*starts[1:], len(lines)], strict=True)]


def test_without_leaf_lru_there_is_no_gap_to_close():
    report = measure_ratios(open_source(SOURCE), [60], select_policies("arc,sieve"), seeds=1)
    assert {line[-1] for line in rows(report, league=True)[1:]} == {"-"}


def test_all_prints_every_policy_once(capsys, tmp_path):
    file = tmp_path / "all.json"
    arguments = ["--capacity", "60", "--policies", "all", "--seeds", "1", "--json", str(file)]
    assert run(["ratio", SOURCE, *arguments]) == 0
    out = capsys.readouterr().out
    assert "gap closed" in out
    found = json.loads(file.read_text(encoding="utf-8"))
    (at_60,) = found["runs"]
    assert [policy["name"] for policy in at_60["policies"]] == sorted(every_policy())


def committed(name):
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def test_committed_leagues_are_the_files_of_their_sums():
    lines = (FOLDER / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    sums = dict(line.split()[::-1] for line in lines)
    assert {file.name for file in FOLDER.iterdir()} == {*sums, "SHA256SUMS"}
    for name, digest in sums.items():
        assert sha256((FOLDER / name).read_bytes()).hexdigest() == digest


@pytest.mark.parametrize("name", ["gsp", "chat", "documents"])
def test_committed_leagues_are_what_is_measured_today(name):
    found = committed(name)
    capacities = [run["capacity"] for run in found["runs"]]
    report = measure_ratios(open_source(found["source"]), capacities, select_policies("arc,gdsf"), seeds=1)
    for run_, was in zip(report.runs, found["runs"], strict=True):
        assert run_.opt_misses == was["opt"]["misses"]
        then = {policy["name"]: policy["misses"] for policy in was["policies"]}
        assert {policy.name: policy.misses for policy in run_.policies} == {
            n: then[n] for n in ("arc", "gdsf")
        }


def test_committed_leagues_have_one_field():
    """The same policies everywhere, and none that there is no more."""
    fields = [
        {policy["name"] for policy in run_["policies"]}
        for name in ("mooncake", "gsp", "chat", "documents")
        for run_ in committed(name)["runs"]
    ]
    assert len(fields[0]) > 30
    assert all(field == fields[0] <= set(every_policy()) for field in fields)
