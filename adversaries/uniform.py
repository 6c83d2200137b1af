"""Uniformly random leaves of a given tree."""

from __future__ import annotations

import numpy as np

from adversaries.chains import require_positive
from kvtheory.model import Trace
from kvtheory.shapes import parse_tree


def uniform(*, tree: str = "star:100", requests: int = 10_000, seed: int = 0) -> Trace:
    """Independent requests to uniformly random leaves of a tree (star:n, binary:d, comb:n, path:n).

    Args:
        tree: a shape, as `--tree` names it.
        requests: how many.
        seed: of numpy's default generator.
    """
    require_positive(requests=requests)
    prefixes = parse_tree(tree)
    leaves = np.flatnonzero(np.bincount(prefixes.parent[1:], minlength=prefixes.n + 1) == 0)
    rng = np.random.default_rng(seed)
    chosen = rng.choice(leaves, requests).astype(np.int32)
    return Trace(prefixes, chosen, source=f"uniform:tree={tree},requests={requests},seed={seed}")
