"""Prompts of two blocks: RLT at almost 2 H_w, beyond what marking can cost on stars.

m legs of two nodes, room for m - 1 of them. A phase asks for all legs but one, by their tips. It begins with
the inner node of the leg z that the phase before left out; then come the tip of x, which the next phase
leaves out, the tip of z, and the tips of the others. OPT enters the phase with the inner node of z instead of
a tip that is not asked for; it loads the tip of z and gives up that of x: it pays 1. For RLT both nodes of z
are new. The first makes one hole among m - 1 legs, so x is missed with probability 1/(m-1); after the second
two holes lie in m - 2 legs, and the others miss 2/(m-2), ..., 2/2 nodes in expectation. Leaf-LRU evicts the
leg that is left out, and pays 2.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from adversaries.chains import ChainTree
from adversaries.forces import Forced, Forces
from adversaries.widest import MARKING
from kvtheory.errors import InputError
from kvtheory.model import PrefixTree, Trace
from kvtheory.width import harmonic


def rlt_trap(*, legs: int = 6, prefix: int = 0, phases: int = 100) -> Trace:
    """Phases that force 2 H_(m-2) + 1/(m-1) on RLT, on m legs of two nodes with room for m - 1. [Wu2026]_

    For four legs and more this is above 2 H_w - 1, with w = m. Leaf-LRU pays 2, whatever m.

    Args:
        legs: m, at least 3; the capacity it is aimed at is prefix + 2 (m - 1).
        prefix: nodes that all prompts share.
        phases: how many, of m requests each but the first; at least 2.
    """
    if phases < 2:
        raise InputError(f"{phases} phases: the first only fills the cache", field="phases")
    if legs < 3:
        raise InputError(f"{legs} legs: three take turns", field="legs")
    if prefix < 0:
        raise InputError("must not be negative", field="prefix")
    tree = ChainTree()
    hub = tree.add(0, [prefix])[0]
    tips = tree.add(hub, np.full(legs, 2)).tolist()
    left_out, *others, y, x = tips
    asked = [y, x, *others]
    for _ in range(phases - 1):
        # x is left out next, and the tip that OPT does not hold is that of y, left out now
        asked += [left_out - 1, x, left_out, *others]
        left_out, x, y = y, left_out, x
    source = f"rlt_trap:{legs=},{prefix=},{phases=}"
    return Trace(PrefixTree(tree.parents()), np.array(asked, dtype=np.int32), source=source)


def _count(legs: int, prefix: int, phases: int) -> Forced:
    k = prefix + 2 * (legs - 1)
    each = 2 * harmonic(legs - 2) + Fraction(1, legs - 1)
    return Forced(k, k + (phases - 1) * each, Fraction(k + phases), each)


def _lru(legs: int, prefix: int, phases: int) -> Forced:
    k = prefix + 2 * (legs - 1)
    return Forced(k, Fraction(k + 2 * (phases - 1)), Fraction(k + phases), Fraction(2))


CASES = (
    {"legs": 4, "phases": 9},
    {"legs": 3, "phases": 16},
    {"legs": 5, "phases": 5},
    {"legs": 3, "prefix": 2, "phases": 2},
)

LONG = ({"legs": 12, "phases": 200}, {"legs": 5, "prefix": 3, "phases": 40}, {"legs": 3, "phases": 2})

FORCES = (
    Forces(rlt_trap, MARKING, "2 H_(m-2) + 1/(m-1)", "", _count, CASES, longer="phases"),
    Forces(rlt_trap, ("lru", "marking", "recursive_lru"), "2", "", _lru, LONG, longer="phases"),
)
