"""Wrong evictions: what separates a schedule from OPT, one by one (docs/theory/advice, Theorem F)."""

from __future__ import annotations

import numpy as np

from kvtheory.advice.oracle import truth
from kvtheory.model import IntArray, LongArray, Trace


def wrong_evictions(trace: Trace, capacity: int, victims: IntArray) -> LongArray:
    """How many victims of each request Belady would have kept, of those that are requested again.

    Compared is with what Belady would evict from the same cache in the same request: of the nodes off the
    path as many as must go, those with the last next uses, the deepest first among equals. No schedule
    misses more than OPT and as much again as it has wrong evictions.

    Args:
        trace: requests whose paths fit.
        capacity: nodes the cache holds.
        victims: a schedule's victims, in order, no more than needed in each request.

    Returns:
        int64, shape (N,).
    """
    advice, depth = truth(trace), trace.tree.depth.astype(np.int64)
    never, tall = len(trace), trace.tree.height + 1
    cached = np.zeros(trace.tree.n + 1, bool)
    key = np.zeros(trace.tree.n + 1, np.int64)
    found = np.zeros(len(trace), np.int64)
    size = at = 0
    for t in range(len(trace)):
        path = np.array(trace.tree.path(int(trace.requests[t])), dtype=np.int64)
        size += path.size - int(cached[path].sum())
        cached[path] = True
        when = np.minimum(advice.when[advice.start[t] : advice.start[t + 1]], never)
        key[path] = when * tall + depth[path]
        if (gone := size - capacity) > 0:
            out = victims[at : at + gone]
            at, size = at + gone, capacity
            if (key[out] < never * tall).any():
                cached[path] = False
                least = np.partition(key[cached], -gone)[-gone]
                cached[path] = True
                found[t] = ((key[out] < least) & (key[out] < never * tall)).sum()
            cached[out] = False
    return found
