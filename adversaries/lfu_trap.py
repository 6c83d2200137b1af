"""Stale popularity: documents that were popular once hold their places for ever.

Two documents by turns have one place between them, since each has been asked for once when the other comes,
and every popular one more often. OPT gives up one popular document.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from adversaries.chains import ChainTree, require_positive
from adversaries.forces import Forced, Forces
from kvtheory.errors import InputError
from kvtheory.model import PrefixTree, Trace


def lfu_trap(*, k: int = 8, prefix: int = 0, popular: int = 10, requests: int = 1000) -> Trace:
    """All places but one are made popular, then two new documents take turns. [Sleator1985]_

    Leaf-LFU misses each of these turns, OPT three documents at most after the popular ones: no finite ratio.

    Args:
        k: the capacity it is aimed at; at least prefix + 2.
        prefix: nodes that all documents share.
        popular: requests for each popular document, at least 2.
        requests: turns of the two others.
    """
    require_positive(requests=requests)
    places = stale_places(k, prefix)
    if popular < 2:
        raise InputError("a document asked for once is not popular", field="popular")
    tree = ChainTree()
    hub = tree.add(0, [prefix])[0]
    leaves = tree.add(hub, np.ones(places + 1))
    past = np.tile(leaves[: places - 1], popular)
    turns = leaves[places - 1 + np.arange(requests) % 2]
    chosen = np.concatenate([past, turns]).astype(np.int32)
    source = f"lfu_trap:{k=},{prefix=},{popular=},{requests=}"
    return Trace(PrefixTree(tree.parents()), chosen, source=source)


def stale_places(k: int, prefix: int) -> int:
    """Leaves that fit below the prefix.

    Raises:
        InputError: if they are not at least two, or the prefix is negative.
    """
    require_positive(k=k)
    if not 0 <= prefix <= k - 2:
        raise InputError(f"{prefix} shared nodes leave no two places of {k}", field="prefix")
    return k - prefix


def _count(k: int, requests: int) -> Forced:
    return Forced(k, Fraction(k - 1 + requests), Fraction(k + 1), None)


CASES = (
    {"k": 8, "popular": 10, "requests": 1000},
    {"k": 2, "popular": 2, "requests": 50},
    {"k": 2, "popular": 30, "requests": 30},
    {"k": 9, "prefix": 5, "popular": 2, "requests": 200},
    {"k": 5, "prefix": 3, "popular": 3, "requests": 20},
)

FORCES = (Forces(lfu_trap, ("lfu", "lru_k", "slru"), "unbounded", "Sleator1985", _count, CASES),)
