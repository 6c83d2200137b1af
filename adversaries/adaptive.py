"""The adversary that looks into the cache and asks for what is missing: no deterministic policy escapes.

Let X be a closed set of k+1 nodes with W leaves. A cache of k nodes never holds all of them, so some leaf of
X is missing: request it. Every request costs the policy a miss. Offline, hold X less one leaf, and drop the
leaf that is requested last: the next miss is at least W - 1 requests away. A policy that does not draw misses
as often when the sequence is replayed.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from fractions import Fraction
from typing import Any, Protocol

import numpy as np

from adversaries.chains import require_positive
from adversaries.forces import DETERMINISTIC, Forced, Forces
from adversaries.widest_set import widest_leaves
from kvtheory.engine.reference import ReferenceEngine
from kvtheory.errors import InputError, PolicyError
from kvtheory.model import Trace
from kvtheory.registry import policy_with_columns
from kvtheory.shapes import parse_tree
from kvtheory.width import width


class LiveCache(Protocol):
    """A policy at work: all that the adversary needs. The reference engine is one.

    Attributes:
        cached: the nodes that it holds, an ancestor-closed set.
    """

    @property
    def cached(self) -> Container[int]: ...
    def serve(self, v: int) -> Any: ...


def ask_for_missing(cache: LiveCache, leaves: Sequence[int], requests: int) -> list[int]:
    """Request, again and again, the first of `leaves` that the cache lacks; returns the requests.

    Args:
        cache: the victim, in whatever state it is; it is left in the state after the last request.
        leaves: the leaves of a closed set of more nodes than it may hold.
        requests: how many.

    Raises:
        PolicyError: if it holds them all.
    """
    asked: list[int] = []
    for _ in range(requests):
        missing = next((v for v in leaves if v not in cache.cached), None)
        if missing is None:
            raise PolicyError(f"the cache holds all of {len(leaves)} leaves that do not fit")
        cache.serve(missing)
        asked.append(missing)
    return asked


def adaptive(*, policy: str = "lru", tree: str = "star:9", k: int = 8, requests: int = 900) -> Trace:
    """A leaf of the widest closed set that the given policy does not hold, again and again. [Sleator1985]_

    It forces W - 1 on that policy: k on a star of k + 1 leaves. Other policies may do better on it.

    Args:
        policy: name of a policy that does not draw.
        tree: a shape or a list of parents, as `--tree` names it.
        k: the capacity it is aimed at.
        requests: how many.
    """
    require_positive(requests=requests)
    victim = policy_with_columns(policy)
    if victim.randomised():
        raise InputError(f"'{policy}' draws: what it lacks is not known beforehand", field="policy")
    prefixes = parse_tree(tree)
    leaves = widest_leaves(prefixes, k)
    asked = ask_for_missing(ReferenceEngine(prefixes, k, victim), leaves, requests)
    source = f"adaptive:{policy=!s},{tree=!s},{k=},{requests=}"
    return Trace(prefixes, np.array(asked, dtype=np.int32), source=source)


def _count(tree: str, k: int, requests: int) -> Forced:
    W = width(parse_tree(tree), k).W
    later = requests - W
    return Forced(k, Fraction(k + 1 + later), Fraction(k + 1 + later // (W - 1)), Fraction(W - 1))


CASES = (
    {"tree": "star:9", "k": 8, "requests": 300},
    {"tree": "star:3", "k": 2, "requests": 41},
    {"tree": "comb:5", "k": 6, "requests": 200},
    {"tree": "binary:3", "k": 5, "requests": 200},
    {"tree": "0,1,0,3,0,5", "k": 4, "requests": 100},
)

FORCES = (Forces(adaptive, DETERMINISTIC, "W - 1", "Sleator1985", _count, CASES, opt_is="<="),)
