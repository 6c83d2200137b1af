"""Uniformly random leaves: what no policy, with or without dice, can do anything about.

X is a closed set of k+1 nodes with W leaves; each request is one of them, uniformly and independently. Once
all have been asked for, a full cache is X less one leaf, whatever the policy: it misses with probability 1/W.
OPT's phases end with the W-th different leaf, on average after W H_(W-1) requests, and cost it 1. By Yao's
principle no randomised policy is better than H_(W-1) against the worst sequence.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from adversaries.chains import require_positive
from adversaries.draws import require_whole
from adversaries.forces import EVERY, Forced, Forces
from adversaries.widest_set import closed_set, widest_leaves
from kvtheory.errors import InputError
from kvtheory.model import Trace
from kvtheory.shapes import parse_tree
from kvtheory.width import harmonic

STAR = "star"


def yao(*, k: int = 8, tree: str = STAR, requests: int = 10_000, seed: int = 0) -> Trace:
    """Independent uniform requests to the leaves of a widest closed set of k+1 nodes. [Yao1977]_ [Fiat1991]_

    Every policy is forced to H_(W-1) in the long run, H_k on a star of k + 1 leaves.

    Args:
        k: the capacity it is aimed at.
        tree: a shape or a list of parents, as `--tree` names it; `star` is one leaf more than fits.
        requests: how many.
        seed: of numpy's default generator.
    """
    require_positive(k=k, requests=requests)
    written = shape(k, tree)
    prefixes = parse_tree(written)
    leaves = np.array(widest_leaves(prefixes, k), dtype=np.int32)
    require_whole(0, seed=seed)
    chosen = np.random.default_rng(seed).choice(leaves, requests)
    return Trace(prefixes, chosen, source=f"yao:{k=},tree={written},{requests=},{seed=}")


def shape(k: int, tree: str) -> str:
    """The tree in full."""
    return f"star:{k + 1}" if tree == STAR else tree


def expected(k: int, tree: str, requests: int) -> Forced:
    """Misses of every policy and of OPT, in expectation over the requests; exact, for a few thousand of them.

    Every node is loaded when it is first asked for. In the sequences whose W leaves have all been asked for,
    each further request costs a policy 1/W; OPT, from its third phase on, 1 where a phase begins.

    Raises:
        InputError: as :func:`yao`.
    """
    require_positive(requests=requests)
    prefixes = parse_tree(shape(k, tree))
    leaves = widest_leaves(prefixes, k)
    W = len(leaves)
    if W < 2:
        raise InputError("a path has no leaves to choose from", field="tree")
    below = dict.fromkeys(closed_set(prefixes, leaves), 0)
    for leaf in leaves:
        for v in prefixes.path(leaf):
            below[v] += 1
    loaded = sum(1 - Fraction(W - count, W) ** requests for count in below.values())
    first, later = [0] * W, [0] * W  # sequences by different leaves so far: in the first phase, in later ones
    first[1], total = W, W
    missed = opened = 0  # sums over the sequences, of which there are `total`
    for _ in range(requests - 1):
        missed = missed * W + sum(later)
        opened = opened * W + later[W - 1]
        begun = first[W - 1] + later[W - 1]
        first, later = (
            [0, *(j * row[j] + (W - j + 1) * row[j - 1] for j in range(1, W))] for row in (first, later)
        )
        later[1] += begun
        total *= W
    opt = loaded + Fraction(opened, total)
    return Forced(k, loaded + Fraction(missed, total), opt, harmonic(W - 1))


CASES = (
    {"k": 2, "requests": 7},
    {"k": 3, "requests": 5},
    {"k": 3, "tree": "0,1,1,0", "requests": 6},
    {"k": 3, "tree": "0,1,0,3", "requests": 8},
    {"k": 1, "requests": 6},
)

FORCES = (Forces(yao, EVERY, "H_(W-1)", "Yao1977 Fiat1991", expected, CASES, averaged=True),)
