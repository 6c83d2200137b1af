"""Several long prompts: their number, not their length, is what competes."""

from __future__ import annotations

import numpy as np

from adversaries.chains import ChainTree, require_positive
from adversaries.forces import Forced, Forces
from adversaries.widest import LRU_LIKE, MARKING, cycle_marking, cycle_misses, cycled
from kvtheory.errors import InputError
from kvtheory.model import PrefixTree, Trace


def spider(*, legs: int = 6, length: int = 4, k: int = 12, requests: int = 900) -> Trace:
    """Chains of one length; the leaves of a widest part of them in a cycle. [Sleator1985]_

    W = legs, so leaf-LRU is forced to legs - 1, whatever the length.

    Args:
        legs: how many chains.
        length: nodes of each.
        k: the capacity it is aimed at; at least legs - 1, less than legs * length.
        requests: how many.
    """
    require_positive(legs=legs, length=length)
    if k < legs - 1:
        raise InputError(f"a cache of {k} has no room for {legs - 1} legs", field="k")
    tree = ChainTree()
    tree.add(0, np.full(legs, length))
    source = f"spider:{legs=},{length=},{k=},{requests=}"
    return cycled(PrefixTree(tree.parents()), k, requests, source)


def _lru(legs: int, k: int, requests: int) -> Forced:
    return cycle_misses(k, legs, requests)


def _marking(legs: int, k: int, requests: int) -> Forced:
    return cycle_marking(k, legs, requests)


LONG = (
    {"legs": 4, "length": 3, "k": 8, "requests": 200},
    {"legs": 3, "length": 4, "k": 11, "requests": 100},
    {"legs": 5, "length": 2, "k": 4, "requests": 55},
)
SHORT = ({"legs": 4, "length": 2, "k": 6, "requests": 14}, {"legs": 3, "length": 3, "k": 8, "requests": 14})

FORCES = (
    Forces(spider, LRU_LIKE, "legs - 1", "Sleator1985", _lru, LONG),
    Forces(spider, MARKING, "H_(legs - 1)", "Fiat1991", _marking, SHORT),
)
