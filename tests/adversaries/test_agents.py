"""Agents: contexts that branch, against the columns and against a run told in plain Python."""

import random
from collections import Counter

import numpy as np
import pytest
from plain_prompts import assert_columns_agree, assert_same_tree, conversations

from adversaries.agents import agents


@pytest.mark.parametrize("block", [1, 16])
@pytest.mark.parametrize(("spawn", "backtrack"), [(0, 0), (0.3, 0.4), (1, 0), (0, 1)])
def test_every_prompt_extends_an_earlier_one(block, spawn, backtrack):
    trace = agents(
        tasks=15, spawn=spawn, backtrack=backtrack, task=20, reply=9, result=15, system=33,
        block=block, seed=3,
    )  # fmt: skip
    assert_columns_agree(trace, speed=50)
    assert_same_tree(trace.tree, trace.requests, conversations(trace, 33), block)
    assert (trace.columns["parent_chat_id"] < 0).sum() == 15
    assert trace.type_names == ("agent", "subagent")
    assert (trace.columns["type"].max() == 1) == (spawn > 0)


def families(trace):
    """The main line of each run and the members of each team, as request numbers in order of time."""
    parents, kind = trace.columns["parent_chat_id"].tolist(), trace.columns["type"].tolist()
    root, lead, lines, teams = {}, {}, {}, {}
    for r, parent in enumerate(parents):
        root[r] = r if parent < 0 else root[parent]
        if kind[r] == 0:
            lines.setdefault(root[r], []).append(r)
            continue
        lead[r] = lead[parent] if kind[parent] == 1 else r
        caller = parents[lead[r]]
        teams.setdefault(caller, {}).setdefault(lead[r], []).append(r)
    return lines, teams


def test_teams_are_whole_chains_and_the_main_line_waits_for_the_last_of_them():
    trace = agents(tasks=300, spawn=0.3, backtrack=0.2, team=3, speed=20, seed=5)
    columns, parents = trace.columns, trace.columns["parent_chat_id"].tolist()
    lines, teams = families(trace)
    assert len(teams) > 300
    after = {r: line[i + 1] for line in lines.values() for i, r in enumerate(line[:-1])}
    for caller, members in teams.items():
        assert len(members) == 3
        ends = []
        for chain in members.values():
            assert [parents[r] for r in chain[1:]] == chain[:-1]
            ends += [columns["timestamp"][r] + columns["output_length"][r] / 20 for r in chain]
        begun = columns["timestamp"][caller] + columns["output_length"][caller] / 20
        assert all(abs(columns["timestamp"][lead] - begun) < 1e-6 for lead in members)
        assert parents[after[caller]] == caller
        assert columns["timestamp"][after[caller]] >= max(ends) - 1e-6


def test_going_back_one_step_at_a_time_leaves_a_fan_below_the_first():
    trace = agents(tasks=50, spawn=0, backtrack=1, back=1, steps=6, seed=2)
    lines, _ = families(trace)
    parents = trace.columns["parent_chat_id"].tolist()
    for line in lines.values():
        assert all(parents[r] == line[0] for r in line[1:])


def told(seed, runs, *, steps, spawn, backtrack, back, substeps, team):
    """The same process step by step, by another generator: requests of each type, depths of main lines."""
    draw = random.Random(seed)

    def count(mean):
        found = 1
        while draw.random() >= 1 / mean:
            found += 1
        return found

    main, sub, turns = 0, 0, Counter()
    for _ in range(runs):
        path = [0]
        turns[1] += 1
        main += 1
        for _ in range(count(steps) - 1):
            chance = draw.random()
            if chance < spawn:
                sub += sum(count(substeps) for _ in range(team))
            elif chance < spawn + backtrack:
                for _ in range(count(back)):
                    if len(path) > 1:
                        path.pop()
            path.append(0)
            main += 1
            turns[len(path)] += 1
    return main / runs, sub / runs, [turns[t] / main for t in range(1, 7)]


def test_counts_and_depths_are_those_of_the_process():
    law = {"steps": 7.0, "spawn": 0.2, "backtrack": 0.35, "back": 1.7, "substeps": 2.5, "team": 2}
    runs = 10_000
    main, sub, depths = told(1, runs, **law)
    trace = agents(tasks=runs, seed=1, **law)
    kind, turn = trace.columns["type"], trace.columns["turn"]
    assert abs((kind == 0).sum() / runs - 7) < 4 * (42 / runs) ** 0.5  # geometric: variance mean^2 - mean
    assert abs((kind == 1).sum() / runs - 6 * 0.2 * 2 * 2.5) < 0.25
    assert abs(main - 7) < 0.26
    assert abs(sub - 6) < 0.25
    found = np.bincount(turn[kind == 0], minlength=8)[1:7] / (kind == 0).sum()
    assert np.abs(found - depths).max() < 0.01
