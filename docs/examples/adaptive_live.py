"""A policy of your own, as a live object, against the adversary that looks into its cache."""

import numpy as np

from adversaries.adaptive import ask_for_missing
from adversaries.widest_set import widest_leaves
from kvtheory.model import Trace
from kvtheory.offline.belady import belady
from kvtheory.shapes import parse_tree


class LongestFirst:
    """Evicts the deepest leaf, the largest number among equals; no engine, no registry."""

    def __init__(self, tree, capacity):
        self.tree, self.capacity, self.cached = tree, capacity, set()

    def serve(self, v):
        path = set(self.tree.path(v))
        self.cached |= path
        while len(self.cached) > self.capacity:
            inner = {int(self.tree.parent[u]) for u in self.cached}
            self.cached.remove(max(self.cached - inner - path, key=lambda u: (self.tree.depth[u], u)))


tree, k, requests = parse_tree("comb:6"), 9, 500
leaves = widest_leaves(tree, k)
asked = ask_for_missing(LongestFirst(tree, k), leaves, requests)

trace = Trace(tree, np.array(asked, dtype=np.int32))
opt = int((trace.depths - tree.depth[belady(trace, k).hit]).sum())
print(f"comb:6, k={k}: {len(leaves)} leaves of a widest set, {requests} requests")
print(f"misses at least {requests}, OPT {opt}: a ratio of at least {requests / opt:.2f}")
print(f"W - 1 = {len(leaves) - 1}")
