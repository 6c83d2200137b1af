"""x_1 m times, x_2 m times, .., x_m once: greedy on true cost at almost m times the optimum, whatever fits.

With all loads equal, the next request for a prompt finishes earlier on a worker that has to load it than
behind the first request for it, as long as hits are not free. So every worker loads every prompt but the
last, and one of them the last. One prompt per worker loads each once.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from adversaries.chains import ChainTree, require_positive
from adversaries.routing_forces import ForcedRouting, ForcesRouting
from kvtheory.errors import InputError
from kvtheory.model import CostModel, PrefixTree, Trace


def greedy_trap(*, workers: int = 4, blocks: int = 16) -> Trace:
    """All prompts but the last as often in a row as there are workers, the last once. [Graham1966]_

    Greedy on true cost has m a_miss/(a_miss + (m - 1) a_hit) times the least makespan, also where caches hold
    everything; m as hits become cheap, unless they are free.

    Args:
        workers: m, and the number of prompts; at least 2.
        blocks: nodes of each prompt.
    """
    require_positive(blocks=blocks)
    if workers < 2:
        raise InputError(f"{workers} workers: one has no choice", field="workers")
    tree = ChainTree()
    tips = tree.add(0, np.full(workers, blocks)).astype(np.int32)
    requests = np.append(np.repeat(tips[:-1], workers), tips[-1])
    return Trace(PrefixTree(tree.parents()), requests, source=f"greedy_trap:{workers=},{blocks=}")


def _count(workers: int, blocks: int, hit: Fraction, miss: Fraction) -> ForcedRouting:
    makespan, opt = workers * blocks * Fraction(miss), blocks * Fraction(miss + (workers - 1) * hit)
    return ForcedRouting(workers, workers * blocks, CostModel(hit, miss), makespan, opt, Fraction(workers))


def _by_prompt(trace: Trace, forced: ForcedRouting) -> Sequence[int]:
    return [t // forced.workers for t in range(len(trace))]


CASES = (
    {"workers": 3, "blocks": 1, "hit": 1, "miss": 20},
    {"workers": 2, "blocks": 3, "hit": 1, "miss": 1000},
    {"workers": 2, "blocks": 1, "hit": Fraction(1, 3), "miss": Fraction(1, 2)},
    {"workers": 3, "blocks": 2, "hit": 1, "miss": 2},
    {"workers": 32, "blocks": 10, "hit": 1, "miss": 500},
)

ROUTING = (
    ForcesRouting(greedy_trap, ("greedy",), "m", "Graham1966", _count, _by_prompt, CASES, longer="miss"),
)
