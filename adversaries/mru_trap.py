"""What was used last is used next but one: leaf-MRU throws each of two documents out for the other."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from adversaries.chains import ChainTree, require_positive
from adversaries.forces import Forced, Forces
from adversaries.lfu_trap import stale_places
from kvtheory.model import PrefixTree, Trace


def mru_trap(*, k: int = 8, prefix: int = 0, requests: int = 1000) -> Trace:
    """The cache is filled, then its last document and a new one take turns. [Sleator1985]_

    Leaf-MRU misses each of these turns, OPT one of them: no finite ratio.

    Args:
        k: the capacity it is aimed at; at least prefix + 2.
        prefix: nodes that all documents share.
        requests: turns of the two.
    """
    require_positive(requests=requests)
    places = stale_places(k, prefix)
    tree = ChainTree()
    hub = tree.add(0, [prefix])[0]
    leaves = tree.add(hub, np.ones(places + 1))
    turns = leaves[places - np.arange(requests) % 2]
    chosen = np.concatenate([leaves[:places], turns]).astype(np.int32)
    return Trace(PrefixTree(tree.parents()), chosen, source=f"mru_trap:{k=},{prefix=},{requests=}")


def _count(k: int, requests: int) -> Forced:
    return Forced(k, Fraction(k + requests), Fraction(k + 1), None)


CASES = (
    {"k": 8, "requests": 1000},
    {"k": 2, "requests": 31},
    {"k": 9, "prefix": 5, "requests": 200},
    {"k": 3, "prefix": 1, "requests": 1},
)

FORCES = (Forces(mru_trap, ("mru", "filo"), "unbounded", "Sleator1985", _count, CASES),)
