"""Return odds: the learner against batch fits, the heaps against a scan, and that it learns who returns."""

from __future__ import annotations

import json
from collections.abc import Collection

import numpy as np
import pytest

from kvtheory.engine.kernel import replay
from kvtheory.engine.object_reference import ObjectReference
from kvtheory.model import Trace
from kvtheory.object_policy import Key
from kvtheory.online_logit import OnlineLogit
from kvtheory.policies.lru import LeafLRU
from kvtheory.policies.return_odds import INDICATORS, ReturnOdds
from kvtheory.rng import SplitMix64
from kvtheory.testing.contract import Check, contract_of
from kvtheory.testing.instances import random_instance
from kvtheory.testing.subject import Subject


class Hasty(ReturnOdds):
    """Return odds that learn, ripen and forget within short tests."""

    name = "hasty_odds"
    HORIZON, HOLD, SCALE, MEMORY, SLACK = 5, 3, 4, 40, 8


class ByScan(Hasty):
    """The same by looking at every leaf."""

    name = "hasty_odds_by_scan"

    def victim(self, leaves: Collection[Key]) -> Key | None:
        def rank(v: Key) -> tuple[float, int]:
            score, last = self.odds[v]
            return score - max(self.now - last, self.HOLD) / self.SCALE, self.stamps[v]

        return min(leaves, key=rank)


def test_the_learner_finds_the_log_odds_of_what_it_sees() -> None:
    rng, model = np.random.default_rng(0), OnlineLogit(3, 4.0)
    rates = {(0,): 0.2, (1, 2): 0.7}
    for _ in range(3000):
        for on, rate in rates.items():
            model.observe(on, bool(rng.random() < rate), 1.0)
    for on, rate in rates.items():
        assert model.log_odds(on) == pytest.approx(np.log(rate / (1 - rate)), abs=0.15)


def test_the_learner_is_near_the_most_likely_weights() -> None:
    """Newton's method on all observations at once, with the same Gaussian belief before."""
    rng, size, variance = np.random.default_rng(1), 6, 0.5
    truth = rng.normal(size=size)
    rows = np.stack([rng.integers(3, size=800), 3 + rng.integers(3, size=800)], axis=1)
    on = np.zeros((len(rows), size))
    on[np.arange(len(rows))[:, None], rows] = 1
    happened = rng.random(len(rows)) < 1 / (1 + np.exp(-on @ truth))
    best = np.zeros(size)
    for _ in range(30):
        guess = 1 / (1 + np.exp(-on @ best))
        hessian = (on * (guess * (1 - guess))[:, None]).T @ on + np.eye(size) / variance
        best += np.linalg.solve(hessian, on.T @ (happened - guess) - best / variance)
    model = OnlineLogit(size, variance)
    for row, yes in zip(rows.tolist(), happened.tolist(), strict=True):
        model.observe(row, yes, 1.0)
    assert np.abs(np.array(model.weights) - best).max() < 0.1
    assert np.abs(best).max() > 0.5


def test_mass_counts_an_observation_so_often() -> None:
    """With little to learn from each, one of mass 2 moves the weights as two of mass 1 do."""
    once, twice = OnlineLogit(2, 1e-6), OnlineLogit(2, 1e-6)
    once.observe([0, 1], True, 2.0)
    for _ in range(2):
        twice.observe([0, 1], True, 1.0)
    assert once.weights == pytest.approx(twice.weights, rel=1e-4)
    assert once.weights[0] > 0


@pytest.mark.parametrize("seed", range(60))
def test_the_heaps_name_what_a_scan_names(seed: int) -> None:
    instance = random_instance(seed, max_nodes=14, max_requests=120)
    fast = ObjectReference(instance.tree, instance.capacity, Hasty)
    slow = ObjectReference(instance.tree, instance.capacity, ByScan)
    assert fast.run(instance.requests) == slow.run(instance.requests)


def test_rebuilt_heaps_name_what_a_scan_names() -> None:
    rng = np.random.default_rng(0)
    parents = [int(rng.integers(min(v, 5))) for v in range(1, 62)]
    requests = rng.integers(1, 62, size=1500)
    trace = Trace.from_parents(parents, requests.tolist())
    assert replay(trace, 20, Hasty).hit.tolist() == replay(trace, 20, ByScan).hit.tolist()


CHECKED = [check for check in contract_of(Hasty) if check.name in ("kernel", "remembers")]


@pytest.mark.parametrize("check", CHECKED, ids=str)
def test_contract_where_it_learns(check: Check) -> None:
    check.verify(Subject(Hasty), examples=10)


def test_a_snapshot_of_one_that_has_learned_is_read_back() -> None:
    rng = np.random.default_rng(3)
    mind, other = Hasty(6, SplitMix64(0)), Hasty(6, SplitMix64(0))
    for _ in range(30):
        mind.on_request([int(rng.integers(3)), 3 + int(rng.integers(3))], [])
    assert any(mind.model.weights)
    other.restore(json.loads(json.dumps(mind.snapshot())))
    for policy in (mind, other):
        policy.on_request([0, 3], [])
    assert other.model.log_odds([0, 20]) == mind.model.log_odds([0, 20])
    assert other.snapshot() == mind.snapshot()


def test_it_keeps_chats_that_go_on_and_not_prompts_that_never_return() -> None:
    """Six chats of three blocks after the system prompt's speak by turns, and eight prompts come between."""
    parents: list[int] = [0]
    for _ in range(6):
        first = len(parents) + 1
        parents += [1, first, first + 1]
    chats = [4 + 3 * i for i in range(6)]
    requests: list[int] = []
    for turn in range(400):
        requests.append(chats[turn % 6])
        for _ in range(8):
            parents.append(0)
            requests.append(len(parents))
    trace = Trace.from_parents(parents, requests)
    half = len(requests) // 2
    spoken = int(np.isin(trace.requests[half:], chats).sum())
    hits = {p.name: trace.tree.depth[replay(trace, 30, p).hit[half:]].sum() for p in (LeafLRU, ReturnOdds)}
    assert hits["lru"] == spoken  # of the system prompt alone
    assert hits["return_odds"] > 0.9 * 4 * spoken


def test_a_prompt_that_contains_another_is_its_next_turn() -> None:
    mind = ReturnOdds(100, SplitMix64(0))
    mind.on_request([1, 2, 3], [])
    mind.on_request([1, 2, 4, 5], [])  # but for the last block, which was not full
    mind.on_request([1, 6], [])
    mind.on_request([1, 2, 4, 7, 8], [])
    assert [mind.seen[v][3] for v in (3, 5, 6, 8)] == [0, 1, 0, 2]
    assert mind.seen[1][0] == 4
    assert all(0 <= i < INDICATORS for row in mind.asked[4][1] for i in row)
