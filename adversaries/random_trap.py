"""Rounds that leave one leaf out: a random victim is drawn until it is the one that does no harm.

X is a closed set of k+1 nodes with W leaves, all requested once. Then the cache is X less one leaf, the
hole. A phase has a target and asks for all other leaves, round after round; a request for the hole moves it
to one of the W - 1 others, uniformly, until it is the target. OPT drops the target and pays 1 in a phase. A
phase of many rounds costs a policy that draws uniformly W - 1.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from adversaries.chains import require_positive
from adversaries.draws import require_listable
from adversaries.forces import Forced, Forces
from adversaries.widest_set import widest_leaves
from kvtheory.model import Trace
from kvtheory.shapes import parse_tree
from kvtheory.width import width


def random_trap(*, tree: str = "star:9", k: int = 8, rounds: int = 24, phases: int = 30) -> Trace:
    """All leaves of a widest closed set but one, in rounds; then all but another. [Raghavan1994]_

    It forces (W - 1)(1 - d)^2 at least on a policy that evicts a uniformly random leaf, with
    d = (1 - 1/(W-1))^rounds.

    Args:
        tree: a shape or a list of parents, as `--tree` names it.
        k: the capacity it is aimed at.
        rounds: of each phase.
        phases: how many; the leaf that is left out goes round.
    """
    require_positive(rounds=rounds, phases=phases)
    prefixes = parse_tree(tree)
    leaves = widest_leaves(prefixes, k)
    require_listable(rounds=rounds, phases=phases, leaves=len(leaves))
    asked = list(leaves)
    for phase in range(phases):
        target = leaves[phase % len(leaves)]
        asked += [v for v in leaves if v != target] * rounds
    source = f"random_trap:{tree=!s},{k=},{rounds=},{phases=}"
    return Trace(prefixes, np.array(asked, dtype=np.int32), source=source)


def _count(tree: str, k: int, rounds: int, phases: int) -> Forced:
    """Where the hole is, in exact probabilities, request by request.

    The first phase's target is the leaf that OPT drops when the last leaf is first loaded.
    """
    W = width(parse_tree(tree), k).W
    hole = [1] * (W - 1) + [0]  # chances and the misses so far, as integers over `total`
    paid, total = 0, W - 1
    for phase in range(phases):
        for leaf in [v for v in range(W) if v != phase % W] * rounds:
            moved = hole[leaf]
            paid = (paid + moved) * (W - 1)
            hole = [(W - 1) * chance + moved for chance in hole]
            hole[leaf] = 0
            total *= W - 1
    d = Fraction(W - 2, W - 1) ** rounds
    return Forced(k, k + 1 + Fraction(paid, total), Fraction(k + 1 + phases - 1), (W - 1) * (1 - d) ** 2)


CASES = (
    {"tree": "star:4", "k": 3, "rounds": 8, "phases": 6},
    {"tree": "star:3", "k": 2, "rounds": 5, "phases": 7},
    {"tree": "0,1,1,0,4", "k": 4, "rounds": 4, "phases": 4},
    {"tree": "star:2", "k": 1, "rounds": 1, "phases": 5},
)

FORCES = (
    Forces(
        random_trap,
        ("random",),
        "(W - 1)(1 - d)^2",
        "Raghavan1994",
        _count,
        CASES,
        limit_is=">=",
        longer="phases",
    ),
)
