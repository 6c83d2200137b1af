"""What the pictures of a schedule and of a routing show is what they are given."""

import pytest
from matplotlib.colors import to_hex

from kvtheory.errors import VerificationError
from kvtheory.model import CostModel, Trace
from kvtheory.offline.brute import brute_schedule
from kvtheory.report.grid import HIT, MISS
from kvtheory.report.schedules import CACHED, Drawn, draw_schedules
from kvtheory.report.timelines import Routed, draw_timelines

TRACE = Trace.from_parents([0, 1, 1, 0], [2, 3, 4, 2, 3])
MISSES, VICTIMS = brute_schedule(TRACE.tree, TRACE.requests.tolist(), 2)
HELD = [{1, 2}, {1, 3}, {1, 4}, {1, 2}, {1, 3}]


def colours(patches):
    return [to_hex(patch.get_facecolor()) for patch in patches]


def test_a_schedule_shows_what_is_cached_and_what_was_missed():
    figure = draw_schedules(TRACE, 2, [Drawn("OPT", VICTIMS), Drawn("again", VICTIMS)])
    one, other = figure.axes
    assert MISSES == 6
    assert one.get_title() == "OPT: 6"
    assert other.get_title() == "again: 6"
    crosses = [(line.get_xdata()[0], line.get_ydata()[0]) for line in one.lines]
    assert sorted(crosses) == [(0, 0), (0, 1), (1, 2), (2, 3), (3, 1), (4, 2)]  # rows: 1, 2, 3, 4
    filled = [patch for patch in one.patches if patch.get_fill() and to_hex(patch.get_facecolor()) == CACHED]
    assert sorted((round(p.get_x() + 0.5), round(p.get_y() + 1.5)) for p in filled) == [
        (t, v) for t, held in enumerate(HELD) for v in sorted(held)
    ]
    assert [label.get_text() for label in one.get_yticklabels()] == ["1", "· 2", "· 3", "4"]


def test_a_schedule_that_breaks_a_rule_is_not_drawn():
    with pytest.raises(VerificationError):
        draw_schedules(TRACE, 2, [Drawn("too much", [[] for _ in TRACE.requests])])


def test_a_schedule_is_priced():
    figure = draw_schedules(TRACE, 2, [Drawn("dear", VICTIMS)], cost=[0, 10, 1, 1, 1])
    below = [label.get_text().partition("\n")[2] for label in figure.axes[0].get_xticklabels()]
    assert below == ["11", "1", "1", "1", "1"]
    assert figure.axes[0].get_title() == "dear: 15"


def test_a_routing_shows_hits_misses_and_the_makespan():
    routings = [
        Routed("one worker", [0, 0, 0], [0, 2, 0], [2, 3, 1]),
        Routed("two workers", [0, 1, 0], [0, 0, 1], [2, 3, 1]),
    ]
    figure = draw_timelines(routings, 2, CostModel(0, 1), ["a", "b", "c"])
    first, second = figure.axes
    assert first.get_title(loc="left") == "one worker: makespan 4"
    assert second.get_title(loc="left") == "two workers: makespan 3"
    assert second.get_xlabel() == "service cost"
    assert [line.get_xdata()[0] for line in (first.lines[0], second.lines[0])] == [4, 3]
    bars = [patch for patch in first.patches if patch.get_fill()]
    assert colours(bars) == [to_hex(MISS)] * 3  # hits cost nothing, and have no width
    assert [(bar.get_x(), bar.get_width()) for bar in bars] == [(0, 2), (2, 1), (3, 1)]
    assert [text.get_text() for text in second.texts] == ["a", "b"]


def test_hits_that_cost_are_drawn():
    figure = draw_timelines([Routed("x", [0], [2], [5])], 1, CostModel(1, 3), ["a"])
    bars = [patch for patch in figure.axes[0].patches if patch.get_fill()]
    assert colours(bars) == [to_hex(HIT), to_hex(MISS)]
    assert [bar.get_width() for bar in bars] == [2, 9]
