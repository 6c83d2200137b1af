"""Prompts asked for in a fixed cycle: the case that leaf-LRU and leaf-FIFO lose."""

from __future__ import annotations

import numpy as np

from adversaries.chains import ChainTree, require_positive
from adversaries.forces import Forced, Forces
from adversaries.widest import LRU_LIKE, MARKING, cycle_marking, cycle_misses
from kvtheory.errors import InputError
from kvtheory.model import PrefixTree, Trace


def cyclic(*, prompts: int = 9, blocks: int = 1, shared: int = 0, requests: int = 108) -> Trace:
    """Prompts 1..n in a cycle, each `blocks` nodes below `shared` common ones. [Sleator1985]_

    With one block each and one prompt more than fits, leaf-LRU and leaf-FIFO miss every request and OPT
    one in k.

    Args:
        prompts: prompts in the cycle.
        blocks: nodes of each prompt, below the shared prefix.
        shared: nodes that all prompts share.
        requests: how many.
    """
    require_positive(prompts=prompts, blocks=blocks, requests=requests)
    if shared < 0:
        raise InputError("must not be negative", field="shared")
    tree = ChainTree()
    hub = tree.add(0, [shared])[0]
    tips = tree.add(hub, np.full(prompts, blocks))
    chosen = tips[np.arange(requests) % prompts].astype(np.int32)
    return Trace(
        PrefixTree(tree.parents()), chosen, source=f"cyclic:{prompts=},{blocks=},{shared=},{requests=}"
    )


def _lru(prompts: int, blocks: int, shared: int, requests: int) -> Forced:
    return cycle_misses(shared + prompts * blocks - 1, prompts, requests)


def _marking(prompts: int, blocks: int, shared: int, requests: int) -> Forced:
    return cycle_marking(shared + prompts * blocks - 1, prompts, requests)


LONG = (
    {"prompts": 9, "requests": 900},
    {"prompts": 3, "requests": 50},
    {"prompts": 4, "blocks": 3, "shared": 2, "requests": 200},
    {"prompts": 2, "blocks": 2, "requests": 20},
)
SHORT = (
    {"prompts": 4, "requests": 16},
    {"prompts": 4, "blocks": 2, "requests": 13},
    {"prompts": 3, "shared": 3, "requests": 12},
)

FORCES = (
    Forces(cyclic, LRU_LIKE, "prompts - 1", "Sleator1985", _lru, LONG),
    Forces(cyclic, MARKING, "H_(prompts - 1)", "Fiat1991", _marking, SHORT),
)
