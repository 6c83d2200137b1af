"""The replayer refuses every schedule that breaks a rule, and prices the others exactly."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pytest

from kvtheory.errors import InputError, VerificationError
from kvtheory.offline.result import BOUND, GAP, LIMIT, OPTIMAL, Solution, conclude
from kvtheory.offline.witness import check_schedule, replay_routing, replay_schedule
from kvtheory.offline.witness_file import LONGEST_NUMBER, SCHEMA, verify_witness

PARENT = [-1, 0, 1, 0]  # 1 above 2, and 3


def test_an_honest_schedule_is_priced() -> None:
    seen = replay_schedule(PARENT, [2, 3, 2], 2, [[], [2], [3]])
    assert (seen.misses, seen.costs, seen.total) == (4, (2, 1, 1), 4)
    assert check_schedule(PARENT, [2, 3, 2], 2, [[], [2], [3]]) == 4


def test_costs_are_per_node_and_exact() -> None:
    miss, hit = [0, Fraction(1, 3), 5, 7], [0, Fraction(1, 6), 1, 1]
    seen = replay_schedule(PARENT, [2, 2, 3], 2, [[], [], [2]], miss_cost=miss, hit_cost=hit)
    assert seen.costs == (Fraction(16, 3), Fraction(7, 6), 7)


def test_sizes_fill_the_cache() -> None:
    size = [0, 1, 1, 2]
    replay_schedule(PARENT, [2, 3], 3, [[], [2]], size=size)
    with pytest.raises(VerificationError, match="request 1: 4 units in a cache of 3"):
        replay_schedule(PARENT, [2, 3], 3, [[], []], size=size)


@pytest.mark.parametrize(
    ("requests", "capacity", "victims", "reason"),
    [
        ([2, 3], 2, [[], []], "request 1: 3 nodes in a cache of 2"),
        ([2, 3], 2, [[], [1]], "request 1: evicts 1, which is not a leaf"),
        ([2, 3], 2, [[2], []], "request 0: evicts 2, which is pinned"),
        ([2, 3], 2, [[], [3]], "request 1: evicts 3, which is pinned"),
        ([2], 2, [[3]], "request 0: evicts 3, which is not cached"),
        ([2, 3], 2, [[]], "1 steps for 2 requests"),
        ([2, 3], 2, [[], [2, 2]], "request 1: evicts 2, which is not cached"),
    ],
)
def test_a_broken_rule_is_named(
    requests: list[int], capacity: int, victims: list[list[int]], reason: str
) -> None:
    with pytest.raises(VerificationError, match=reason):
        replay_schedule(PARENT, requests, capacity, victims)


def test_bypass_may_drop_the_path() -> None:
    assert replay_schedule(PARENT, [3, 2, 3], 1, [[], [2, 1], []], bypass=True).misses == 3


def test_workers_have_caches_of_their_own() -> None:
    seen = replay_routing(PARENT, [2, 2, 3, 2], 2, 2, [0, 1, 0, 1], [[], [], [2], []])
    assert (seen.misses, seen.loads) == (5, (3, 2))
    seen = replay_routing(
        PARENT,
        [2, 2, 3, 2],
        2,
        2,
        [0, 1, 0, 1],
        [[], [], [2], []],
        alpha_cached=1,
        alpha_miss=Fraction(5, 2),
        output=[1, 0, 0, 0],
        weight=[0, 1, 2, 4],
    )
    assert seen.loads == (Fraction(15, 2) + 1 + 10, Fraction(15, 2) + 3)


def test_latency_is_queueing_plus_service() -> None:
    seen = replay_routing(PARENT, [2, 3, 2], 1, 3, [0, 0, 0], [[], [], []], release=[0, 1, 10])
    assert seen.latencies == (2, 2, 0)


def test_a_routing_that_breaks_a_rule_is_refused() -> None:
    with pytest.raises(VerificationError, match="request 1: worker 2 of 2"):
        replay_routing(PARENT, [2, 2], 2, 2, [0, 2], [[], []])
    with pytest.raises(VerificationError, match="request 1: 3 nodes"):
        replay_routing(PARENT, [2, 3], 2, 2, [0, 0], [[], []])
    with pytest.raises(VerificationError, match="1 workers for 2 requests"):
        replay_routing(PARENT, [2, 3], 2, 2, [0], [[], []])


def test_nothing_calls_itself_optimal_without_the_bound() -> None:
    assert conclude(6, 6, 0, [], method="m", seconds=0, otherwise=LIMIT).optimal
    short = conclude(6, Fraction(11, 2), 0, [], method="m", seconds=0, otherwise=BOUND)
    assert (short.optimal, short.status, short.gap) == (False, BOUND, Fraction(1, 12))
    with pytest.raises(VerificationError, match="a bound of 7 above"):
        conclude(6, 7, 0, [], method="m", seconds=0, otherwise=LIMIT)
    with pytest.raises(VerificationError, match="status optimal"):
        Solution(6, 5, OPTIMAL, 0, (), "m", 0.0)
    with pytest.raises(VerificationError, match="status gap"):
        Solution(6, 6, GAP, 0, (), "m", 0.0)


@pytest.mark.parametrize("excess", [0, 1])
def test_a_number_is_as_long_as_the_longest_or_refused(tmp_path: Path, excess: int) -> None:
    price = "7" * (LONGEST_NUMBER - 2 + excess) + "/1"
    claim = {"schema": SCHEMA, "capacity": 1, "bypass": False, "parents": [0], "cost": [price]}
    lines = [claim | {"requests": 1, "value": price, "misses": 1}, {"request": 1, "evict": []}]
    file = tmp_path / "witness.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    if excess:
        with pytest.raises(InputError, match="'cost': is neither"):
            verify_witness(file)
    else:
        assert verify_witness(file)["value"] == int(price[:-2])


def test_a_value_that_is_no_number_is_in_the_first_line(tmp_path: Path) -> None:
    claim = {"schema": SCHEMA, "capacity": 1, "bypass": False, "parents": [0], "cost": "unit"}
    lines = [claim | {"requests": 1, "value": "dear", "misses": 1}, {"request": 1, "evict": []}]
    file = tmp_path / "witness.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    with pytest.raises(InputError, match=r"witness\.jsonl, line 1, field 'value'"):
        verify_witness(file)
