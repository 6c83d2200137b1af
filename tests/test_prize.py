"""The committed tables of docs/theory/prize.rst: their arithmetic, and what is quick to measure again."""

from __future__ import annotations

from pathlib import Path

import pytest
from profiles import whole_trace

from kvtheory.policies.lru import LeafLRU
from kvtheory.ratio.empirical import measure_ratios
from kvtheory.traces import read_trace

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "docs" / "_static" / "prize" / "results.txt"
TRACE = ROOT.parent / "shared" / "traces" / "mooncake_conversation.jsonl"


def committed() -> dict[str, list[float]]:
    """Percentages by the row's name."""
    found = {}
    for line in RESULTS.read_text(encoding="utf-8").splitlines()[1:]:
        name, _, rest = line.partition(": ") if ": " in line else line.partition(" ")
        found[name] = [float(x) for x in rest.replace("%", " ").replace(",", " ").split()]
    return found


@pytest.mark.parametrize("policy", ["return_odds", "hedged_odds"])
def test_the_share_of_the_gap_follows_from_the_hit_rates(policy: str) -> None:
    table = committed()
    for i, closed in enumerate(table[f"gap closed by {policy}"]):
        low, mid, high = table["lru"][i], table[policy][i], table["opt"][i]
        assert closed == pytest.approx(100 * (mid - low) / (high - low), abs=0.2)
        assert closed > 25


@whole_trace
@pytest.mark.skipif(not TRACE.exists(), reason="the trace is not here")
def test_leaf_lru_and_opt_are_as_committed() -> None:
    trace, table = read_trace(TRACE), committed()
    capacities = [trace.tree.n * x // 100 for x in (1, 3, 10)]
    report = measure_ratios(trace, capacities, [LeafLRU], warmup=0.5)
    for i, run in enumerate(report.runs):
        assert run.opt_hit_rate is not None
        assert 100 * run.opt_hit_rate == pytest.approx(table["opt"][i], abs=0.006)
        rate = run.policies[0].hit_rate
        assert rate is not None
        assert 100 * rate == pytest.approx(table["lru"][i], abs=0.006)
