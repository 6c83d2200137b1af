"""Multi-turn chat: every prompt is the whole conversation so far."""

from __future__ import annotations

from typing import Literal

import numpy as np

from adversaries.chains import poisson_arrivals, require_positive
from adversaries.contexts import Requests, join, trace_of
from adversaries.draws import (
    LARGEST_EXPONENT,
    LARGEST_SPREAD,
    elapsed,
    geometric,
    lengths,
    ragged,
    require_range,
    require_whole,
    written,
    zipf_ranks,
)
from kvtheory.model import Trace


def chat(
    *,
    sessions: int = 1000,
    rate: float = 0.5,
    turns: float = 4.0,
    turns_law: Literal["geometric", "lognormal"] = "geometric",
    abandon: float = 0.0,
    message: int = 64,
    reply: int = 192,
    spread: float = 0.8,
    think: float = 30.0,
    speed: float = 50.0,
    systems: int = 4,
    system: int = 512,
    exponent: float = 1.0,
    block: int = 16,
    seed: int = 0,
) -> Trace:
    """Sessions arrive at random; each prompt is the conversation so far, the replies included. [Wang2025]_

    A session begins with one of the shared system prompts. After a reply the user thinks, then sends the next
    message, or leaves. Token counts are log-normal, rounded, at least 1; think times are exponential.

    Args:
        sessions: conversations.
        rate: sessions a second (Poisson).
        turns: mean number of messages that a user means to send.
        turns_law: of that number; `lognormal` has the spread of the messages.
        abandon: probability that a user leaves after a reply although more was meant.
        message: mean tokens of a message.
        reply: mean tokens of a reply.
        spread: standard deviation of the logarithm of message and reply lengths; 0 makes them constant.
        think: mean seconds between a reply's end and the next message.
        speed: tokens of a reply generated a second.
        systems: different system prompts; 0 for none.
        system: tokens of a system prompt.
        exponent: of the Zipf law by which sessions choose their system prompt.
        block: tokens in a block.
        seed: of numpy's default generator.
    """
    source = written("chat", locals())
    require_whole(1, sessions=sessions, message=message, reply=reply, system=system, block=block)
    require_whole(0, systems=systems, seed=seed)
    require_positive(rate=rate, speed=speed)
    require_range(1, 1e9, turns=turns)
    require_range(0, 1, abandon=abandon)
    require_range(0, 1e9, think=think)
    require_range(0, LARGEST_SPREAD, spread=spread)
    require_range(0, LARGEST_EXPONENT, exponent=exponent)
    rng = np.random.default_rng(seed)
    start = poisson_arrivals(rng, sessions, rate)
    chosen = zipf_ranks(rng, systems, exponent, sessions) + 1 if systems else np.zeros(sessions, np.int64)
    wanted = (
        geometric(rng, turns, sessions) if turns_law == "geometric" else lengths(rng, turns, spread, sessions)
    )
    if abandon:
        wanted = np.minimum(wanted, geometric(rng, 1 / abandon, sessions))
    owner, turn = ragged(wanted)
    said = lengths(rng, message, spread, owner.size)
    answered = lengths(rng, reply, spread, owner.size)
    pause = answered / speed + rng.exponential(think, owner.size)
    before = np.where(turn == 0, -1, np.arange(owner.size) - 1)
    above = np.where(turn == 0, chosen[owner], systems + 1 + before)
    grown = said + np.where(turn == 0, 0, answered[before])
    forest = join((0, np.full(systems, system)), (above, grown))
    requests = Requests(
        context=systems + 1 + np.arange(owner.size),
        time=start[owner] + elapsed(pause, turn),
        output=answered,
        before=before,
        turn=turn + 1,
        kind=np.zeros(owner.size, dtype=np.int64),
    )
    return trace_of(forest, requests, block=block, kinds=("text",), source=source)
