"""Agents that call tools, go back, and send out sub-agents: contexts that branch."""

from __future__ import annotations

import numpy as np

from adversaries.chains import poisson_arrivals, require_positive
from adversaries.contexts import Requests, join, trace_of
from adversaries.draws import (
    LARGEST_EXPONENT,
    LARGEST_SPREAD,
    Floats,
    Ints,
    elapsed,
    geometric,
    lengths,
    ragged,
    require_range,
    require_whole,
    written,
    zipf_ranks,
)
from kvtheory.errors import InputError
from kvtheory.model import Trace


def agents(
    *,
    tasks: int = 500,
    rate: float = 0.1,
    steps: float = 8.0,
    spawn: float = 0.1,
    team: int = 3,
    substeps: float = 3.0,
    backtrack: float = 0.15,
    back: float = 2.0,
    task: int = 128,
    reply: int = 96,
    result: int = 256,
    spread: float = 0.8,
    tool: float = 2.0,
    speed: float = 50.0,
    systems: int = 2,
    system: int = 1024,
    exponent: float = 1.0,
    block: int = 16,
    seed: int = 0,
) -> Trace:
    """Agent runs: tool calls, sub-agents that share the trunk, backtracking to an ancestor. [Zheng2024]_

    A request extends the prompt of an earlier one by that one's reply and the result of a tool. Between two
    steps of the main line the agent may send out a team instead, whose members extend the prompt reached so
    far, each by a task of its own, and run at the same time; the main line goes on when the last is done. Or
    it may backtrack: the next step then extends the prompt of an ancestor, and what came after is abandoned.
    Types are `agent` and `subagent`; `parent_chat_id` is the request whose prompt is extended.

    Args:
        tasks: agent runs.
        rate: runs a second (Poisson).
        steps: mean steps of the main line (geometric).
        spawn: probability that a team is sent out between two steps.
        team: sub-agents in a team.
        substeps: mean steps of a sub-agent (geometric).
        backtrack: probability that the next step goes back to an ancestor.
        back: mean number of steps gone back (geometric, no further than the first).
        task: mean tokens of a task, of a sub-agent too.
        reply: mean tokens of a reply.
        result: mean tokens of a tool's result.
        spread: standard deviation of the logarithm of the lengths; 0 makes them constant.
        tool: mean seconds of a tool call (exponential).
        speed: tokens of a reply generated a second.
        systems: different system prompts (tools and instructions); 0 for none.
        system: tokens of a system prompt.
        exponent: of the Zipf law by which runs choose their system prompt.
        block: tokens in a block.
        seed: of numpy's default generator.
    """
    source = written("agents", locals())
    require_whole(
        1, tasks=tasks, team=team, task=task, reply=reply, result=result, system=system, block=block
    )
    require_whole(0, systems=systems, seed=seed)
    require_positive(rate=rate, speed=speed)
    require_range(1, 1e9, steps=steps, substeps=substeps, back=back)
    require_range(0, 1, spawn=spawn, backtrack=backtrack)
    require_range(0, 1e9, tool=tool)
    require_range(0, LARGEST_SPREAD, spread=spread)
    require_range(0, LARGEST_EXPONENT, exponent=exponent)
    if spawn + backtrack > 1:
        raise InputError(f"{backtrack} and spawn={spawn} are together more than 1", field="backtrack")
    rng = np.random.default_rng(seed)
    start = poisson_arrivals(rng, tasks, rate)
    chosen = zipf_ranks(rng, systems, exponent, tasks) + 1 if systems else np.zeros(tasks, np.int64)

    owner, step = ragged(geometric(rng, steps, tasks))
    chance = rng.random(owner.size)  # of what happens just before this step
    backs = geometric(rng, back, owner.size)
    backs[(chance < spawn) | (chance >= spawn + backtrack)] = 0
    main, main_turn = _main_line(step, backs)
    callers = np.flatnonzero((step > 0) & (chance < spawn)) - 1
    member, substep = ragged(geometric(rng, substeps, callers.size * team))
    caller = np.repeat(callers, team)[member]
    trunk, branch = slice(owner.size), slice(owner.size, None)
    size = owner.size + member.size
    before = np.concatenate([main, np.where(substep == 0, caller, np.arange(owner.size, size) - 1)])

    replied = lengths(rng, reply, spread, size)
    new = lengths(rng, result, spread, size)
    tasked = np.flatnonzero(np.concatenate([step, substep]) == 0)
    new[tasked] = lengths(rng, task, spread, tasked.size)
    begun = np.flatnonzero(step == 0)
    new += np.where(before < 0, 0, replied[before])
    above = systems + 1 + before
    above[begun] = chosen

    spoken = replied / speed
    gaps = spoken + rng.exponential(tool, size)
    since = elapsed(gaps[branch], substep)  # a sub-agent's own time
    gaps[callers] += _longest(since + spoken[branch], np.flatnonzero((substep == 0) & (member % team == 0)))
    time = start[owner] + elapsed(gaps[trunk], step)
    requests = Requests(
        context=systems + 1 + np.arange(size),
        time=np.concatenate([time, (time + spoken[trunk])[caller] + since]),
        output=replied,
        before=before,
        turn=np.concatenate([main_turn, main_turn[caller] + 1 + substep]),
        kind=np.repeat([0, 1], [owner.size, member.size]),
    )
    forest = join((0, np.full(systems, system)), (above, new))
    return trace_of(forest, requests, block=block, kinds=("agent", "subagent"), source=source)


def _main_line(step: Ints, backs: Ints) -> tuple[Ints, Ints]:
    """What each step of the main lines extends (-1 for nothing), and how deep that makes it (from 1).

    Args:
        step: int64, shape (N,): 0, 1, ... within each run, one run after the other.
        backs: int64, shape (N,): how far above the step before the agent goes back first; 0 for not at all.
    """
    before = np.arange(step.size) - 1
    turn = np.ones(step.size, dtype=np.int64)
    starts = np.flatnonzero(step == 0)
    counts = np.diff(starts, append=step.size)
    before[starts] = -1
    for i in range(1, int(counts.max())):
        at = starts[counts > i] + i
        tip = at - 1
        far = np.minimum(backs[at], turn[tip] - 1)
        while (moving := far > 0).any():
            tip[moving] = before[tip[moving]]
            far -= 1
        before[at] = tip
        turn[at] = turn[tip] + 1
    return before, turn


def _longest(times: Floats, starts: Ints) -> Floats:
    """The largest of each run of times that begins at one of `starts`."""
    return np.maximum.reduceat(times, starts) if starts.size else np.zeros(0)
