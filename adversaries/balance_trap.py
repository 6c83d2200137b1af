"""AABB..: whoever spreads the requests evenly loads every prompt everywhere.

Each of m prompts is asked for m times in a row, then the next, in rounds. Spread over m workers, each of them
gets every prompt once a round. Where a cache holds one prompt, nothing is ever cached; one prompt per worker
would always hit. Where caches hold everything, one round still loads m prompts m times.

Greedy on true cost does the same, if hits cost something: with all loads equal, the second request for a
prompt finishes earlier on a worker that has to load it than behind the first. Free hits it would send there.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from adversaries.chains import ChainTree, require_positive
from adversaries.routing_forces import ForcedRouting, ForcesRouting
from kvtheory.errors import InputError
from kvtheory.model import CostModel, PrefixTree, Trace


def balance_trap(*, workers: int = 4, prefix: int = 0, blocks: int = 16, rounds: int = 25) -> Trace:
    """As many prompts as workers, each as often in a row: spread evenly, none is ever cached. [Wu2026]_

    Round robin and least outstanding, and greedy on true cost where hits are not free, pay the price of a
    miss over that of a hit, where caches hold one prompt.

    Args:
        workers: it is aimed at; at least 2.
        prefix: nodes that all prompts share.
        blocks: nodes of each one's own.
        rounds: how often it goes through the prompts.
    """
    require_positive(blocks=blocks, rounds=rounds)
    if workers < 2:
        raise InputError(f"{workers} workers: one needs no balance", field="workers")
    if prefix < 0:
        raise InputError("must not be negative", field="prefix")
    tree = ChainTree()
    hub = tree.add(0, [prefix])[0]
    tips = tree.add(hub, np.full(workers, blocks)).astype(np.int32)
    source = f"balance_trap:{workers=},{prefix=},{blocks=},{rounds=}"
    return Trace(PrefixTree(tree.parents()), np.tile(np.repeat(tips, workers), rounds), source=source)


def _one_fits(
    workers: int, prefix: int, blocks: int, rounds: int, hit: Fraction, miss: Fraction
) -> ForcedRouting:
    each = workers * rounds
    makespan = prefix * (miss + (each - 1) * hit) + each * blocks * Fraction(miss)
    opt = (prefix + blocks) * Fraction(miss + (each - 1) * hit)
    limit = Fraction(prefix * hit + blocks * miss) / ((prefix + blocks) * hit) if hit else None
    return ForcedRouting(workers, prefix + blocks, CostModel(hit, miss), makespan, opt, limit)


def _all_fit(workers: int, prefix: int, blocks: int, hit: Fraction, miss: Fraction) -> ForcedRouting:
    makespan = prefix * (miss + (workers - 1) * hit) + workers * blocks * Fraction(miss)
    opt = (prefix + blocks) * Fraction(miss + (workers - 1) * hit)
    limit = Fraction(prefix + workers * blocks, prefix + blocks)
    return ForcedRouting(workers, prefix + workers * blocks, CostModel(hit, miss), makespan, opt, limit)


def _by_prompt(trace: Trace, forced: ForcedRouting) -> Sequence[int]:
    return [t // forced.workers % forced.workers for t in range(len(trace))]


BY_COUNT = ("round_robin", "least_outstanding")
DEAR = (
    {"workers": 2, "blocks": 3, "rounds": 3, "hit": 1, "miss": 10},
    {"workers": 3, "prefix": 2, "blocks": 1, "rounds": 1, "hit": 1, "miss": 4},
    {"workers": 2, "prefix": 1, "blocks": 2, "rounds": 2, "hit": Fraction(3, 7), "miss": 1},
    {"workers": 8, "prefix": 5, "blocks": 20, "rounds": 40, "hit": 1, "miss": 13},
)
FREE = ({"workers": 2, "blocks": 1, "rounds": 4, "hit": 0, "miss": 1},)
ONCE = (
    {"workers": 3, "blocks": 1, "rounds": 1, "hit": 1, "miss": 20},
    {"workers": 2, "prefix": 2, "blocks": 3, "rounds": 1, "hit": Fraction(1, 2), "miss": 3},
    {"workers": 12, "prefix": 1, "blocks": 5, "rounds": 1, "hit": 1, "miss": 100},
)
RATIO = "(prefix a_hit + blocks a_miss)/((prefix + blocks) a_hit)"

ROUTING = (
    ForcesRouting(balance_trap, BY_COUNT, RATIO, "", _one_fits, _by_prompt, DEAR + FREE),
    ForcesRouting(balance_trap, ("greedy",), RATIO, "", _one_fits, _by_prompt, DEAR),
    ForcesRouting(
        balance_trap,
        (*BY_COUNT, "greedy"),
        "(prefix + m blocks)/(prefix + blocks) as a_miss/a_hit grows, in one round",
        "",
        _all_fit,
        _by_prompt,
        ONCE,
        longer="miss",
    ),
)
