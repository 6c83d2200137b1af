"""Predictions learned from the past: against their definition, and that they find what there is to find."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pytest

from kvtheory.advice.learned import ABOVE_TIP, USES, PastWaits
from kvtheory.testing.instances import random_instance


class Forgetful(PastWaits):
    """Forgets within a short test."""

    MEMORY = 7


def kind_of(uses: int, above: int) -> tuple[int, int]:
    """Requests before, up to a limit, and the bucket of the distance from the tip."""
    return min(uses, USES - 1), sum(above >= edge for edge in ABOVE_TIP)


def from_history(history: Sequence[Sequence[int]], share: int) -> list[int]:
    """What the last of these paths must be told, from the definition of the estimate."""
    now = len(history) - 1
    asked: dict[int, list[tuple[int, int]]] = {}
    for t, path in enumerate(history):
        for i, v in enumerate(path):
            asked.setdefault(v, []).append((t, len(path) - 1 - i))
    told = []
    for at, v in enumerate(history[-1]):
        # nodes further down the path have not been counted as having come back yet
        later = set(history[-1][at + 1 :])
        times = [t for t, _ in asked[v]]
        kind = kind_of(len(times) - 1, asked[v][-1][1])
        waited = returns = 0
        for u, uses in asked.items():
            seen = uses[:-1] if u in later else uses
            for n, (t, above) in enumerate(seen):
                if kind_of(n, above) == kind:
                    over = n + 1 < len(seen)
                    waited += (seen[n + 1][0] if over else now) - t
                    returns += over
        mean = (1 + waited) / (1 + returns)
        own = now - times[0]
        told.append(now + max(1, round((share * mean + own) / (share + len(times) - 1))))
    return told


@pytest.mark.parametrize("seed", range(12))
def test_it_tells_what_its_definition_says(seed: int) -> None:
    instance = random_instance(seed, max_nodes=9, max_requests=30)
    mind, history = PastWaits(), []
    for v in instance.requests:
        history.append(instance.path(v))
        assert mind.predict(history[-1]) == from_history(history, PastWaits.SHARE)


def test_who_comes_every_seven_requests_is_expected_in_seven() -> None:
    mind = PastWaits()
    for t in range(200):
        told = mind.predict([0] if t % 7 == 0 else [1 + t])
        if t % 7 == 0 and t > 60:
            assert abs(told[0] - t - 7) <= 1


def test_kinds_differ_where_the_past_did() -> None:
    """The first node of a prompt always returns and its tip never does; a new prompt is told so."""
    mind, rng = PastWaits(), np.random.default_rng(0)
    for t in range(400):
        mind.predict([int(rng.integers(5)), 100 + t])
    top, tip = mind.predict([7, 1000])
    assert top < 400 + 20
    assert tip > 400 + 1000


def test_what_was_not_requested_for_long_is_forgotten() -> None:
    mind = Forgetful()
    for t in range(100):
        mind.predict([t % 3, 10 + t])
    assert set(mind.seen) <= {0, 1, 2, *range(110 - 3 * Forgetful.MEMORY, 110)}
    assert {0, 1, 2} <= set(mind.seen)
    assert sum(mind.waiting) == len(mind.seen)
    assert sum(mind.since) == sum(note[2] for note in mind.seen.values())


def test_restored_from_a_snapshot_it_says_the_same() -> None:
    mind, other = Forgetful(), Forgetful()
    for t in range(30):
        mind.predict([t % 4, 10 + t % 3])
    other.restore(json.loads(json.dumps(mind.snapshot())))
    assert [mind.predict([t % 5]) for t in range(20)] == [other.predict([t % 5]) for t in range(20)]
