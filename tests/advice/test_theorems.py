"""The theorems about advice hold, and would fail if they were false."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from kvtheory.advice import predictor
from kvtheory.advice.predictor import Expected
from kvtheory.hedge import Hedge
from kvtheory.policies.predictive_marker import PredictiveMarker
from kvtheory.width import harmonic
from proofs_check import chains, predictive_marker, robust_advice, wrong_evictions
from proofs_check.theorem import Effort, Row


def failing(module: Any, **size: int) -> list[str]:
    """The rows of a theorem that do not hold."""
    quick = module.THEOREM.size(Effort.QUICK)
    rows = [row for row in module.THEOREM.check({**quick, **size}) if isinstance(row, Row)]
    return [row.what for row in rows if not row.holds]


def test_no_schedule_errs_for_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wrong_evictions, "are_wrong", lambda *_: 0)
    assert failing(wrong_evictions, drawn=2)


def test_the_farthest_and_no_other_is_optimal(monkeypatch: pytest.MonkeyPatch) -> None:
    def nearest(self: Expected, leaves: Any) -> Any:
        return min((v for v in self.stamps if v in leaves), key=lambda v: self.when[v][0], default=None)

    monkeypatch.setattr(Expected, "last", nearest)
    assert "blind oracle: not optimal with perfect predictions" in failing(wrong_evictions, nodes=2)
    assert "perfect advice, all sequences: not optimal" in failing(robust_advice, drawn=2)


def test_a_phase_may_cost_what_is_claimed_and_no_less() -> None:
    """A star of four and one clean node: H_3 if every choice is drawn, and trust can cost more."""
    drawn, once = (chains.worst_phase((0, 0, 0, 0), 3, 0b111, (4, 1, 2), trusted) for trusted in (0, 1))
    assert drawn == harmonic(3)
    assert drawn < once <= 1 + harmonic(3)
    assert chains.worst_phase((0, 0, 0, 0), 3, 0b111, (4, 1, 2), 9) == 3


def test_the_bound_of_a_phase_can_be_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictive_marker, "phase_bound", lambda leaves: Fraction(1))
    found = failing(predictive_marker, nodes=2, chains=2)
    assert any("wrong advice" in what for what in found)


def test_marking_that_takes_the_nearest_is_not_within_three_of_opt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        PredictiveMarker,
        "victim",
        lambda self, leaves: min(self.marks.place, key=lambda v: self.expected.when[v][0]),
    )
    assert any("perfect advice" in what for what in failing(predictive_marker, drawn=4, nodes=2))


def test_a_hedge_without_patience_turns_too_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Hedge, "PATIENCE", 0)
    assert failing(robust_advice, nodes=2)


def test_never_is_later_than_any_request() -> None:
    assert predictor.NEVER > 10**15
