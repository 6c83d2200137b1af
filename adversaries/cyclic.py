"""Prompts asked for in a fixed cycle: the case that leaf-LRU and leaf-FIFO lose."""

from __future__ import annotations

import numpy as np

from adversaries.chains import ChainTree, require_positive
from kvtheory.errors import InputError
from kvtheory.model import PrefixTree, Trace


def cyclic(*, prompts: int = 9, blocks: int = 1, shared: int = 0, requests: int = 108) -> Trace:
    """Prompts 1..n in a cycle, each `blocks` nodes below `shared` common ones. [Sleator1985]_

    With one block each and one prompt more than fits, leaf-LRU and leaf-FIFO miss every request and OPT
    one in k.

    Args:
        prompts: prompts in the cycle.
        blocks: nodes of each prompt, below the shared prefix.
        shared: nodes that all prompts share.
        requests: how many.
    """
    require_positive(prompts=prompts, blocks=blocks, requests=requests)
    if shared < 0:
        raise InputError("must not be negative", field="shared")
    tree = ChainTree()
    hub = tree.add(0, [shared])[0]
    tips = tree.add(hub, np.full(prompts, blocks))
    chosen = tips[np.arange(requests) % prompts].astype(np.int32)
    return Trace(
        PrefixTree(tree.parents()), chosen, source=f"cyclic:{prompts=},{blocks=},{shared=},{requests=}"
    )
