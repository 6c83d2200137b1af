"""The committed table is what the search finds, its files replay, and it is within 5 % everywhere."""

import hashlib
import json
import random
from collections import Counter
from fractions import Fraction
from pathlib import Path

import pytest

from adversaries.search import table
from adversaries.search.score import Arena, Stand, file_of
from kvtheory.model import PrefixTree
from kvtheory.ratio.instance import Instance
from kvtheory.registry import policies
from kvtheory.report.atlas import read_atlas

STATIC = Path(__file__).parents[2] / "docs" / "_static"
FOLDER = STATIC / "search"


@pytest.fixture(scope="module")
def rows():
    return [json.loads(line) for line in (FOLDER / "search.jsonl").read_text().splitlines()]


def cell(row):
    return table.Cell(tuple(row["parents"]), row["k"], row["policy"], row["exact"])


def game(row):
    return Instance.of(PrefixTree.from_parents(row["parents"]), row["k"])


def numbers(row, length):
    requestable = game(row).requestable
    return [
        requestable.index(v)
        for v in file_of(row["prefix"], row["cycle"], length)
    ]  # fmt: skip


def test_the_file_is_the_one_that_was_made():
    stated = dict(line.split()[::-1] for line in (FOLDER / "SHA256SUMS").read_text().splitlines())
    assert stated == {"search.jsonl": hashlib.sha256((FOLDER / "search.jsonl").read_bytes()).hexdigest()}


def test_every_finite_ratio_of_the_atlas_has_a_row(rows):
    assert [cell(row) for row in rows] == table.cells(STATIC / "atlas" / "atlas.jsonl")
    count = Counter(row["policy"] for row in rows)
    assert all(count[name] == 191 for name in table.POLICIES if name != "mru")
    infinite = sum(
        row["policies"]["mru"]["ratio"] == "inf" for row in read_atlas(STATIC / "atlas" / "atlas.jsonl")
    )
    assert count["mru"] == 191 - infinite


def test_every_row_is_within_five_percent(rows):
    for row in rows:
        assert 20 * Fraction(row["ratio"]) >= 19 * Fraction(row["exact"]), row
        assert Fraction(row["ratio"]) == Fraction(row["alg"]) / row["opt"]
        assert row["found_at"] <= row["evaluations"]


def test_every_file_of_a_ranked_policy_replays_to_its_row(rows):
    """By the kernel and by Belady, which the search does not use."""
    ranked = [row for row in rows if row["kind"] == "count"]
    assert len(ranked) == 191 * 4 + 55
    for row in ranked:
        stand = Stand(game(row), policies()[row["policy"]])
        trace = stand.trace(numbers(row, row["length"]))
        assert (stand.misses(trace, 0), stand.opt(trace)) == (row["alg"], row["opt"]), row


def test_a_sample_of_the_drawn_rows_replays_within_chance(rows):
    """By Belady, and by the kernel over 200 seeds: no mean is further than five standard errors."""
    drawn = [row for row in rows if row["kind"] != "count"]
    for row in random.Random(3).sample(drawn, 12):
        stand = Stand(game(row), policies()[row["policy"]], range(200))
        trace = stand.trace(numbers(row, row["length"]))
        assert stand.opt(trace) == row["opt"]
        counts = [stand.misses(trace, seed) for seed in stand.seeds]
        mean = sum(counts) / 200
        error = (sum((x - mean) ** 2 for x in counts) / 199 / 200) ** 0.5
        assert abs(mean - float(Fraction(row["alg"]))) <= 5 * error + 1e-6, row


def test_a_sample_of_the_lengths_that_are_enough(rows):
    for row in random.Random(4).sample([row for row in rows if row["enough"] > 60], 12):
        arena = Arena(game(row), policies()[row["policy"]])
        wanted = table.NEAR * Fraction(row["exact"])
        assert arena.exact(numbers(row, row["enough"])).ratio >= wanted
        shorter = row["enough"] - len(row["cycle"])
        assert shorter < len(row["prefix"]) or arena.exact(numbers(row, shorter)).ratio < wanted


def test_a_sample_is_found_again(rows):
    """Integers decide a search against a ranked policy: the same file. Floats guide the others: as near."""
    ranked = [row for row in rows if row["kind"] == "count" and row["exact"] != "1/1"]
    drawn = [row for row in rows if row["kind"] != "count" and row["length"] == 1000]
    for row in random.Random(5).sample(ranked, 4):
        assert json.loads(json.dumps(table.row(cell(row)))) == row
    for row in random.Random(6).sample(drawn, 2):
        again = table.row(cell(row))
        assert table.share(again, cell(row)) >= table.NEAR


def test_an_attempt_that_fails_is_followed_by_the_next_and_kept(monkeypatch):
    monkeypatch.setattr(table, "ATTEMPTS", (("hill", 20, 1), ("hill", 400, 2000), ("beam", 400, 9)))
    made = table.row(table.Cell((0, 0, 0), 2, "lru", "2/1"))
    assert [attempt["length"] for attempt in made["tried"]] == [20]
    assert (made["length"], made["method"]) == (400, "hill")
    assert made["enough"] <= 400


def test_the_command_makes_the_file_again(tmp_path, monkeypatch, capsys):
    atlas = tmp_path / "atlas.jsonl"
    first = (STATIC / "atlas" / "atlas.jsonl").read_text().splitlines()[:3]
    atlas.write_text("\n".join(first) + "\n")
    monkeypatch.setattr(table, "ATTEMPTS", (("hill", 50, 10),))
    arguments = ["table", "--atlas", str(atlas), "--output", str(tmp_path / "o"), "--policies", "lru,rlt"]
    monkeypatch.setattr("sys.argv", [*arguments, "--jobs", "1"])
    assert table.main() == 0
    made = [json.loads(line) for line in (tmp_path / "o" / "search.jsonl").read_text().splitlines()]
    assert [row["policy"] for row in made] == ["lru"] * 3 + ["rlt"] * 3
    monkeypatch.setattr("sys.argv", [*arguments[:1], "--atlas", str(tmp_path / "none")])
    assert table.main() == 2
    assert capsys.readouterr().err.count("\n") == 1
