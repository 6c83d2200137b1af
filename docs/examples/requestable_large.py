"""W and W_R of a tree of 200,000 nodes whose leaves are requested."""

import numpy as np

from kvtheory.model import PrefixTree
from kvtheory.requestable import requestable_width
from kvtheory.width import width

dice = np.random.default_rng(0)
parent = np.arange(-1, 200_000, dtype=np.int32)
tops = np.flatnonzero(dice.random(200_000) < 1 / 25) + 1
parent[tops] = (dice.random(tops.size) * tops).astype(np.int32)
tree = PrefixTree(parent)
leaves = np.setdiff1d(np.arange(1, tree.n + 1), parent)
print(f"{tree.n:,} nodes, {leaves.size:,} of them requested")
for k in (2_000, 20_000, 100_000):
    own = requestable_width(tree, leaves, k)
    W = width(tree, k).W
    print(f"k = {k:7,}   W = {W:6,}   W_R = {own.low:,}..{own.high:,}   leaf-LRU <= {1 + own.fitting:,}")
