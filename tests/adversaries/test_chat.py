"""Chat: the tree of the conversations, and the statistics of its parameters."""

import numpy as np
import pytest
from plain_prompts import assert_columns_agree, assert_same_tree, chi_square, conversations

from adversaries.chat import chat


@pytest.mark.parametrize("block", [1, 7, 16])
@pytest.mark.parametrize("systems", [0, 3])
@pytest.mark.parametrize("turns_law", ["geometric", "lognormal"])
def test_every_prompt_is_the_conversation_so_far(block, systems, turns_law):
    system = 45 if systems else 0
    trace = chat(
        sessions=30, turns_law=turns_law, systems=systems, system=45, message=9, reply=20, block=block, seed=2
    )  # fmt: skip
    assert_columns_agree(trace, speed=50)
    assert_same_tree(trace.tree, trace.requests, conversations(trace, system), block)
    parents = trace.columns["parent_chat_id"]
    assert (parents < 0).sum() == 30
    assert len(set(parents[parents >= 0].tolist())) == (parents >= 0).sum()  # a conversation has no branches
    first = {trace.tree.path(int(v))[0] for v in trace.requests[parents < 0]}
    assert len(first) == (systems or 30)


@pytest.mark.parametrize(("abandon", "mean"), [(0.0, 4.0), (0.2, 2.5), (1.0, 1.0)])
def test_turns_are_geometric_and_end_early_when_abandoned(abandon, mean):
    """Both laws are geometric, so the smaller one is: it goes on with probability (1 - 1/4)(1 - abandon)."""
    sessions = 20_000
    trace = chat(sessions=sessions, turns=4, abandon=abandon, seed=1)
    stop = 1 / mean
    deviation = (1 - stop) ** 0.5 / stop
    assert abs(len(trace) / sessions - mean) <= 4 * deviation / sessions**0.5
    reached = np.bincount(trace.columns["turn"])[1:]
    ended = (reached - np.append(reached[1:], 0))[:8]
    expected = [sessions * stop * (1 - stop) ** t for t in range(8)]
    if abandon < 1:
        assert chi_square(ended, expected) < 26.1  # 99.9 %, 8 degrees of freedom


def test_lognormal_turns_are_few_at_the_middle_and_many_at_the_end():
    turns = {}
    for law in ("geometric", "lognormal"):
        trace = chat(sessions=20_000, turns=8, turns_law=law, spread=1.2, seed=4)
        turns[law] = np.bincount(trace.columns["turn"])[1:]
        assert abs(len(trace) / 20_000 - 8) < 0.35
    # P(T > 40): exp(-40/8) of geometric counts; 1 - Phi((ln 40.5 - ln 8 + 0.72) / 1.2) of log-normal ones
    assert abs(turns["geometric"][40] / 20_000 - (7 / 8) ** 40) < 0.0025
    assert abs(turns["lognormal"][40] / 20_000 - 0.0255) < 0.0045


def test_think_times_and_lengths_have_their_means():
    trace = chat(sessions=20_000, systems=0, block=1, message=50, reply=100, think=30, speed=25, seed=6)
    columns, length = trace.columns, trace.depths
    begun = columns["parent_chat_id"] < 0
    parent = columns["parent_chat_id"][~begun]
    spread = (np.exp(0.64) - 1) ** 0.5
    assert abs(length[begun].mean() - 50) < 4 * 50 * spread / 20_000**0.5
    assert abs(columns["output_length"].mean() - 100) < 4 * 100 * spread / len(trace) ** 0.5
    said = length[~begun] - length[parent] - columns["output_length"][parent]
    assert said.min() >= 1
    assert abs(said.mean() - 50) < 4 * 50 * spread / parent.size**0.5
    think = (columns["timestamp"][~begun] - columns["timestamp"][parent]) - columns["output_length"][
        parent
    ] / 25
    assert abs(think.mean() - 30) < 4 * 30 / parent.size**0.5
    assert abs(think.std() - 30) < 1
    assert abs(np.diff(columns["timestamp"][begun]).mean() - 2) < 4 * 2 / 20_000**0.5


def test_reuse_of_constant_lengths_is_one_less_the_chance_to_stop():
    """Turns geometric of mean 1/p: accesses (m + (1-p) r)/p^2, nodes (m + (1-p) r)/p in expectation."""
    trace = chat(sessions=20_000, turns=5, systems=0, spread=0, message=30, reply=60, block=1, seed=3)
    turns = np.bincount(trace.columns["turn"])[1:]
    depth = [30 * t + 60 * (t - 1) for t in range(1, turns.size + 1)]
    assert trace.accesses == int(turns @ depth)
    assert trace.tree.n == 30 * len(trace) + 60 * (len(trace) - 20_000)
    assert abs((1 - trace.tree.n / trace.accesses) - (1 - 1 / 5)) < 0.005


def test_system_prompts_are_chosen_by_the_zipf_law():
    trace = chat(sessions=20_000, systems=6, exponent=1.3, system=16, turns=1, seed=8)
    first = [trace.tree.path(int(v))[0] for v in trace.requests]
    counts = np.unique(first, return_counts=True)[1]
    weight = np.arange(1, 7) ** -1.3
    assert chi_square(counts, 20_000 * weight / weight.sum()) < 20.5  # 99.9 %, 5 degrees of freedom
