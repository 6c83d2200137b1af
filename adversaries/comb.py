"""A conversation with one short branch at each turn: half the cache competes."""

from __future__ import annotations

from adversaries.chains import require_positive
from adversaries.forces import Forced, Forces
from adversaries.widest import LRU_LIKE, MARKING, cycle_marking, cycle_misses, cycled
from kvtheory import shapes
from kvtheory.model import PrefixTree, Trace


def comb(*, teeth: int = 16, k: int = 16, requests: int = 900) -> Trace:
    """A spine with one tooth at each node; the leaves of a widest part of it in a cycle. [Sleator1985]_

    A leaf needs two nodes, so W = floor(k/2) + 1 and leaf-LRU is forced to floor(k/2).

    Args:
        teeth: nodes of the spine, and teeth.
        k: the capacity it is aimed at; less than 2 * teeth.
        requests: how many.
    """
    require_positive(teeth=teeth)
    tree = PrefixTree.from_parents(shapes.comb(teeth))
    return cycled(tree, k, requests, f"comb:{teeth=},{k=},{requests=}")


def _lru(k: int, requests: int) -> Forced:
    return cycle_misses(k, k // 2 + 1, requests)


def _marking(k: int, requests: int) -> Forced:
    return cycle_marking(k, k // 2 + 1, requests)


LONG = ({"teeth": 8, "k": 8, "requests": 200}, {"teeth": 8, "k": 15, "requests": 300}, {"k": 3})
SHORT = ({"teeth": 4, "k": 5, "requests": 17}, {"teeth": 3, "k": 4, "requests": 16})

FORCES = (
    Forces(comb, LRU_LIKE, "floor(k/2)", "Sleator1985", _lru, LONG),
    Forces(comb, MARKING, "H_floor(k/2)", "Fiat1991", _marking, SHORT),
)
