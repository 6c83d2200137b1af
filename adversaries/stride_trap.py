"""One long prompt in every m requests: whoever counts requests gives all long ones to the same worker.

Every m-th request is for one of m long prompts, by turns; the others for their first node alone. Equal
numbers of requests for each worker put all long prompts on the first, where each evicts the one before. One
long prompt per worker would always hit. Neither balance nor hits: as the prompts grow the ratio tends to
m times the price of a miss over that of a hit, and worse no router can do.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from adversaries.chains import ChainTree, require_positive
from adversaries.routing_forces import ForcedRouting, ForcesRouting
from kvtheory.errors import InputError
from kvtheory.model import CostModel, PrefixTree, Trace


def stride_trap(*, workers: int = 4, blocks: int = 16, rounds: int = 25) -> Trace:
    """A long prompt, then one short one for each other worker: equal counts, all the work on one. [Wu2026]_

    Round robin and least outstanding come near m times the price of a miss over that of a hit.

    Args:
        workers: it is aimed at; at least 2.
        blocks: nodes of a long prompt, at least 2; the first is the short prompt.
        rounds: how often each long prompt is asked for.
    """
    require_positive(rounds=rounds)
    if workers < 2:
        raise InputError(f"{workers} workers: one needs no balance", field="workers")
    if blocks < 2:
        raise InputError("a long prompt has two nodes or more", field="blocks")
    tree = ChainTree()
    hub = tree.add(0, [1])[0]
    tips = tree.add(hub, np.full(workers, blocks - 1))
    asked = np.full((workers, workers), hub)
    asked[:, 0] = tips
    source = f"stride_trap:{workers=},{blocks=},{rounds=}"
    requests = np.tile(asked.ravel(), rounds).astype(np.int32)
    return Trace(PrefixTree(tree.parents()), requests, source=source)


def _count(workers: int, blocks: int, rounds: int, hit: Fraction, miss: Fraction) -> ForcedRouting:
    long = workers * rounds
    makespan = miss + (long - 1) * hit + long * (blocks - 1) * Fraction(miss)
    opt = blocks * Fraction(miss + (rounds - 1) * hit) + (workers - 1) * rounds * hit
    limit = workers * Fraction(hit + (blocks - 1) * miss) / ((blocks + workers - 1) * hit) if hit else None
    return ForcedRouting(workers, blocks, CostModel(hit, miss), makespan, opt, limit)


def _long_by_prompt(trace: Trace, forced: ForcedRouting) -> Sequence[int]:
    m, short, routing = forced.workers, 0, []
    for t in range(len(trace)):
        if t % m == 0:
            routing.append(t // m % m)
        else:
            routing.append(short % m)
            short += 1
    return routing


CASES = (
    {"workers": 2, "blocks": 6, "rounds": 3, "hit": 1, "miss": 10},
    {"workers": 2, "blocks": 2, "rounds": 3, "hit": 0, "miss": 1},
    {"workers": 3, "blocks": 3, "rounds": 1, "hit": 1, "miss": 1},
    {"workers": 3, "blocks": 2, "rounds": 1, "hit": Fraction(1, 3), "miss": Fraction(5, 2)},
    {"workers": 8, "blocks": 64, "rounds": 30, "hit": 1, "miss": 13},
)

ROUTING = (
    ForcesRouting(
        stride_trap,
        ("round_robin", "least_outstanding"),
        "m (a_hit + (blocks - 1) a_miss)/((blocks + m - 1) a_hit)",
        "",
        _count,
        _long_by_prompt,
        CASES,
    ),
)
