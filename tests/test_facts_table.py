"""The committed tables of docs/theory/facts.rst: their arithmetic, and a table that was made otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

STATIC = Path(__file__).parent.parent / "docs" / "_static"


def tables() -> dict[str, dict[str, list[float]]]:
    """Rows by name, by the table's title."""
    found: dict[str, dict[str, list[float]]] = {}
    for block in (STATIC / "facts" / "results.txt").read_text(encoding="utf-8").strip().split("\n\n"):
        title, *lines = block.splitlines()
        rows = {
            line[:34].strip(): [float(x) for x in line[34:].split()] for line in lines if line[:34].strip()
        }
        found[title.partition(",")[0] if title.startswith("hit rate, moon") else title] = rows
    return found


def test_the_share_of_the_gap_follows_from_the_hit_rates() -> None:
    rates, closed = tables()["hit rate"], tables()["share of the gap between lru and opt that is closed"]
    for name, shares in closed.items():
        for low, mid, high, share in zip(rates["lru"], rates[name], rates["opt"], shares, strict=True):
            assert share == pytest.approx(100 * (mid - low) / (high - low), abs=0.15)


def test_leaf_lru_and_opt_are_those_of_the_other_table() -> None:
    lines = (STATIC / "prize" / "results.txt").read_text(encoding="utf-8").splitlines()
    for name in ("lru", "opt"):
        line = next(line for line in lines if line.startswith(f"{name} "))
        assert [float(x) for x in line[14:].replace("%", " ").split()] == tables()["hit rate"][name]


def test_what_the_page_says_of_the_tables() -> None:
    found = tables()
    beyond = found["tokens beyond the target, a request"]
    assert all(a < b for a, b in zip(beyond["tail_lru"], beyond["lru"], strict=True))
    mixture = next(rows for title, rows in found.items() if "mixture" in title)
    assert mixture["lpc"][1] > mixture["lru"][1] > mixture["lpc, told nothing"][1]
    assert all(rates <= mixture["opt"][i] for row in mixture.values() for i, rates in enumerate(row))
    closed = found["share of the gap between lru and opt that is closed"]
    assert sum(row[0] > 18 for row in closed.values()) == 3
    assert closed["session_eta"][2] < 0
