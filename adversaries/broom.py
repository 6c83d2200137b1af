"""A path that ends in a star: a long common prompt leaves little of the cache to compete for."""

from __future__ import annotations

import numpy as np

from adversaries.chains import ChainTree, require_positive
from adversaries.forces import Forced, Forces
from adversaries.widest import LRU_LIKE, MARKING, cycle_marking, cycle_misses, cycled
from kvtheory.model import PrefixTree, Trace


def broom(*, handle: int = 4, bristles: int = 16, k: int = 12, requests: int = 900) -> Trace:
    """A handle with bristles at its end; as many of them in a cycle as just do not fit. [Sleator1985]_

    W = k + 1 - handle, so leaf-LRU is forced to k - handle.

    Args:
        handle: nodes of the path.
        bristles: leaves below its end.
        k: the capacity it is aimed at; less than handle + bristles.
        requests: how many.
    """
    require_positive(handle=handle, bristles=bristles)
    tree = ChainTree()
    end = tree.add(0, [handle])[0]
    tree.add(end, np.ones(bristles))
    source = f"broom:{handle=},{bristles=},{k=},{requests=}"
    return cycled(PrefixTree(tree.parents()), k, requests, source)


def _lru(handle: int, k: int, requests: int) -> Forced:
    return cycle_misses(k, k + 1 - handle, requests)


def _marking(handle: int, k: int, requests: int) -> Forced:
    return cycle_marking(k, k + 1 - handle, requests)


LONG = (
    {"handle": 3, "bristles": 8, "k": 8, "requests": 200},
    {"handle": 1, "bristles": 4, "k": 4, "requests": 60},
    {"handle": 5, "bristles": 4, "k": 6, "requests": 30},
)
SHORT = ({"handle": 2, "bristles": 5, "k": 5, "requests": 14}, {"handle": 1, "k": 3, "requests": 12})

FORCES = (
    Forces(broom, LRU_LIKE, "k - handle", "Sleator1985", _lru, LONG),
    Forces(broom, MARKING, "H_(k - handle)", "Fiat1991", _marking, SHORT),
)
