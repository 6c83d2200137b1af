"""One hot prefix: whoever follows it sends everything to one worker.

The first prompt leaves its prefix on one worker; every other prompt has its longest cached prefix there. m
workers could share the work. With caches that hold everything that costs affinity the factor m, for any
prices. With caches that hold one prompt each it also loses the hits: m prompts by turns, one after the other
on the same worker, miss all but the prefix, where one prompt per worker would always hit.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from adversaries.chains import ChainTree, require_positive
from adversaries.routing_forces import ForcedRouting, ForcesRouting
from kvtheory.errors import InputError
from kvtheory.model import CostModel, PrefixTree, Trace


def affinity_trap(*, prompts: int = 4, prefix: int = 1, suffix: int = 15, rounds: int = 25) -> Trace:
    """Prompts that share a prefix, by turns: longest-prefix affinity sends all to one worker. [Wu2026]_

    m times the least makespan on m workers as the number of prompts grows, in one round. With as many prompts
    as workers, round after round, and caches that hold one prompt, m times the price of a miss over that of a
    hit, nearly: without bound where hits are free.

    Args:
        prompts: how many different ones.
        prefix: nodes that they share, at least 1.
        suffix: nodes of each one's own; with 0 all are the same prompt.
        rounds: how often each is asked for.
    """
    require_positive(prompts=prompts, prefix=prefix, rounds=rounds)
    if suffix < 0:
        raise InputError("must not be negative", field="suffix")
    tree = ChainTree()
    hub = tree.add(0, [prefix])[0]
    tips = tree.add(hub, np.full(prompts, suffix)).astype(np.int32)
    source = f"affinity_trap:{prompts=},{prefix=},{suffix=},{rounds=}"
    return Trace(PrefixTree(tree.parents()), np.tile(tips, rounds), source=source)


def _one_round(
    prompts: int, prefix: int, suffix: int, workers: int, hit: Fraction, miss: Fraction
) -> ForcedRouting:
    def load(count: int) -> Fraction:
        return prefix * (miss + (count - 1) * hit) + count * suffix * Fraction(miss)

    all_of_them, share = load(prompts), load(-(-prompts // workers))
    return ForcedRouting(
        workers, prefix + suffix, CostModel(hit, miss), all_of_them, share, Fraction(workers)
    )


def _rounds(
    prompts: int, prefix: int, suffix: int, rounds: int, hit: Fraction, miss: Fraction
) -> ForcedRouting:
    asked = prompts * rounds
    makespan = prefix * (miss + (asked - 1) * hit) + asked * suffix * Fraction(miss)
    opt = (prefix + suffix) * Fraction(miss + (rounds - 1) * hit)
    each, least = prompts * (prefix * hit + suffix * miss), (prefix + suffix) * hit
    limit = Fraction(each) / least if hit else None
    return ForcedRouting(prompts, prefix + suffix, CostModel(hit, miss), makespan, opt, limit)


def _in_turn(trace: Trace, forced: ForcedRouting) -> Sequence[int]:
    return [t % forced.workers for t in range(len(trace))]


ONCE = (
    {"prompts": 12, "prefix": 3, "suffix": 2, "rounds": 1, "workers": 3, "hit": 0, "miss": 1},
    {"prompts": 4, "prefix": 2, "suffix": 0, "rounds": 1, "workers": 4, "hit": 1, "miss": 1},
    {"prompts": 5, "prefix": 2, "suffix": 1, "rounds": 1, "workers": 5, "hit": 1, "miss": 1},
    {"prompts": 7, "prefix": 1, "suffix": 2, "rounds": 1, "workers": 2, "hit": Fraction(1, 3), "miss": 2},
    {"prompts": 8, "prefix": 1, "suffix": 0, "rounds": 1, "workers": 3, "hit": 1, "miss": 20},
    {"prompts": 1500, "prefix": 40, "suffix": 9, "rounds": 1, "workers": 64, "hit": 1, "miss": 10},
)
AGAIN = (
    {"prompts": 2, "prefix": 1, "suffix": 4, "rounds": 6, "hit": 1, "miss": 10},
    {"prompts": 2, "prefix": 1, "suffix": 1, "rounds": 5, "hit": 0, "miss": 1},
    {"prompts": 3, "prefix": 1, "suffix": 2, "rounds": 3, "hit": 0, "miss": 1},
    {"prompts": 3, "prefix": 2, "suffix": 1, "rounds": 3, "hit": Fraction(1, 7), "miss": Fraction(3, 2)},
    {"prompts": 16, "prefix": 1, "suffix": 99, "rounds": 50, "hit": 1, "miss": 13},
)

ROUTING = (
    ForcesRouting(affinity_trap, ("longest_prefix",), "m", "", _one_round, _in_turn, ONCE, longer="prompts"),
    ForcesRouting(
        affinity_trap,
        ("longest_prefix",),
        "m (prefix a_hit + suffix a_miss)/((prefix + suffix) a_hit)",
        "",
        _rounds,
        _in_turn,
        AGAIN,
    ),
)
