"""Arrival times and conversations."""

from __future__ import annotations

import numpy as np
import pytest

from kvtheory.engine.arrivals import arrival_times, sessions
from kvtheory.errors import InputError
from kvtheory.model import Trace
from kvtheory.sources import generate


def stamped(*times: float) -> Trace:
    plain = Trace.from_parents([0], [1] * len(times))
    return Trace(plain.tree, plain.requests, columns={"timestamp": np.array(times)})


def test_the_traces_own_times_begin_at_zero_and_can_be_sped_up():
    trace = stamped(3.0, 5.0, 5.0, 9.0)
    assert arrival_times(trace, "trace").tolist() == [0, 2, 2, 6]
    assert arrival_times(trace, "trace:2").tolist() == [0, 1, 1, 3]
    assert arrival_times(trace, "zero").tolist() == [0, 0, 0, 0]


def test_poisson_times_have_their_rate_and_repeat():
    trace = Trace.from_parents([0], [1] * 20_000)
    times = arrival_times(trace, "poisson:4", seed=3)
    assert (np.diff(times) >= 0).all()
    gaps = np.diff(times, prepend=0.0)
    # the mean of n exponential gaps has standard deviation mean / sqrt(n): five of them
    assert abs(gaps.mean() - 0.25) < 5 * 0.25 / len(gaps) ** 0.5
    assert np.array_equal(times, arrival_times(trace, "poisson:4", seed=3))
    assert not np.array_equal(times, arrival_times(trace, "poisson:4", seed=4))


@pytest.mark.parametrize(
    "spec", ["", "never", "zero:1", "trace:", "trace:0", "poisson", "poisson:-1", "poisson:x", "trace:inf"]
)
def test_other_words_are_refused(spec):
    with pytest.raises(InputError, match="arrivals"):
        arrival_times(stamped(0.0, 1.0), spec)


def test_missing_and_decreasing_timestamps_are_refused():
    with pytest.raises(InputError, match="no timestamps"):
        arrival_times(Trace.from_parents([0], [1]), "trace")
    with pytest.raises(InputError, match="decrease after request 2"):
        arrival_times(stamped(0.0, 2.0, 1.0), "trace")


def test_conversations_are_those_that_the_generator_made():
    """By ids and by prompts alike: think times keep turns apart, so a turn extends the one before."""
    trace = generate("chat:sessions=60,systems=3,turns=4,seed=5,block=8")
    found = sessions(trace)
    turn = trace.columns["turn"]
    parent = trace.columns["parent_chat_id"]
    assert found.max() + 1 == int((turn == 1).sum())
    for t in range(len(trace)):
        if parent[t] >= 0:
            assert found[t] == found[int(parent[t])]
    bare = Trace(trace.tree, trace.requests)
    guessed = sessions(bare)
    pairs = set(zip(found.tolist(), guessed.tolist(), strict=True))
    assert len({a for a, _ in pairs}) <= len(pairs)
    together = sum(guessed[t] == guessed[int(parent[t])] for t in range(len(trace)) if parent[t] >= 0)
    assert together == int((parent >= 0).sum())


def test_a_prompt_that_extends_another_continues_it():
    #      1 - 2 - 3 (partial)      a second turn keeps 1, 2 and grows 4, 5
    #           \- 4 - 5            another chat shares only the system prompt 1
    #       \- 6
    trace = Trace.from_parents([0, 1, 2, 2, 4, 1], [3, 5, 6, 5, 1])
    assert sessions(trace).tolist() == [0, 0, 1, 0, 2]
