"""Documents of Zipf popularity below one shared prefix."""

from __future__ import annotations

import numpy as np

from adversaries.chains import ChainTree, require_positive
from kvtheory.errors import InputError
from kvtheory.model import PrefixTree, Trace


def zipf(
    *,
    documents: int = 1000,
    blocks: int = 8,
    shared: int = 2,
    exponent: float = 1.0,
    requests: int = 10_000,
    seed: int = 0,
) -> Trace:
    """Document i is asked for with probability proportional to 1/i^exponent.

    Args:
        documents: how many documents.
        blocks: nodes of each document, below the shared prefix.
        shared: nodes of the system prompt that all documents share.
        exponent: 0 is uniform; larger is more skewed.
        requests: how many.
        seed: of numpy's default generator.
    """
    require_positive(documents=documents, blocks=blocks, requests=requests)
    if shared < 0:
        raise InputError("must not be negative", field="shared")
    if not 0 <= exponent < 100:
        raise InputError(f"{exponent} is not in [0, 100)", field="exponent")
    tree = ChainTree()
    hub = tree.add(0, [shared])[0]
    tips = tree.add(hub, np.full(documents, blocks))
    mass = np.cumsum(np.arange(1, documents + 1, dtype=np.float64) ** -exponent)
    rng = np.random.default_rng(seed)
    ranks = np.searchsorted(mass, rng.random(requests) * mass[-1], side="right")
    chosen = tips[np.minimum(ranks, documents - 1)].astype(np.int32)
    spec = f"zipf:{documents=},{blocks=},{shared=},{exponent=},{requests=},{seed=}"
    return Trace(PrefixTree(tree.parents()), chosen, source=spec)
