"""The leaves of a widest closed set in a cycle: leaf-LRU and leaf-FIFO at W - 1, on any tree.

Let X be a closed set of k+1 nodes with W leaves, as many as possible. Where only its leaves are requested, a
full cache is X less one leaf. In a cycle the leaf that was requested longest ago is the next one.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from adversaries.chains import require_positive
from adversaries.forces import Forced, Forces
from adversaries.widest_set import widest_leaves
from kvtheory.model import PrefixTree, Trace
from kvtheory.shapes import parse_tree
from kvtheory.width import harmonic

LRU_LIKE = ("lru", "fifo", "marking", "recursive_lru")
MARKING = ("rlt", "bucketing")


def cycled(tree: PrefixTree, k: int, requests: int, source: str) -> Trace:
    """A trace that asks for the leaves of a widest set in a cycle."""
    require_positive(requests=requests)
    leaves = np.array(widest_leaves(tree, k), dtype=np.int32)
    return Trace(tree, leaves[np.arange(requests) % leaves.size], source=source)


def widest(*, tree: str = "binary:4", k: int = 12, requests: int = 1200) -> Trace:
    """The leaves of a widest closed set of k+1 nodes in a cycle. [Sleator1985]_

    In a cache of k nodes leaf-LRU, leaf-FIFO and deterministic marking miss every request, OPT one in W - 1;
    RLT misses H_(W-1) times where OPT misses once.

    Args:
        tree: a shape or a list of parents, as `--tree` names it.
        k: the capacity it is aimed at.
        requests: how many.
    """
    return cycled(parse_tree(tree), k, requests, f"widest:{tree=!s},{k=},{requests=}")


def cycle_misses(k: int, W: int, requests: int) -> Forced:
    """Leaf-LRU on a cycle through W leaves of a closed set of k+1 nodes, from W requests on.

    The first round loads k+1 nodes; then each request misses one. OPT drops the leaf that is used last.
    """
    later = requests - W
    return Forced(k, Fraction(k + 1 + later), cycle_opt(k, W, requests), Fraction(W - 1))


def cycle_opt(k: int, W: int, requests: int) -> Fraction:
    """OPT on that cycle: k+1 nodes at first, then one miss in W - 1 requests."""
    return Fraction(k + 1 + (requests - W) // (W - 1))


def cycle_marking(k: int, W: int, requests: int) -> Forced:
    """RLT on that cycle, in expectation.

    A phase is W - 1 requests. Its first is the one leaf that is missing; the hole that this makes is one of
    the W - 1 others, uniformly, and stays uniform among those not requested since: they miss with
    probability 1/(W-1), ..., 1/2.
    """
    phases, rest = divmod(requests - W, W - 1)
    begun = harmonic(W - 1) - harmonic(W - 1 - rest)
    misses = k + 1 + phases * harmonic(W - 1) + begun
    return Forced(k, misses, cycle_opt(k, W, requests), harmonic(W - 1))


def _lru(tree: str, k: int, requests: int) -> Forced:
    return cycle_misses(k, len(widest_leaves(parse_tree(tree), k)), requests)


def _marking(tree: str, k: int, requests: int) -> Forced:
    return cycle_marking(k, len(widest_leaves(parse_tree(tree), k)), requests)


CASES = (
    {"tree": "binary:3", "k": 6, "requests": 200},
    {"tree": "0,0,1,1,2,5,5,7", "k": 5, "requests": 57},
    {"tree": "0,1,1,0,4,4,4", "k": 4, "requests": 40},
    {"tree": "0,1,2,0", "k": 3, "requests": 9},
)

FORCES = (
    Forces(widest, LRU_LIKE, "W - 1", "Sleator1985", _lru, CASES),
    Forces(widest, MARKING, "H_(W-1)", "Fiat1991", _marking, tuple({**c, "requests": 14} for c in CASES[1:])),
)
