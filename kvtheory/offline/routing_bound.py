"""What no routing can undercut: a lower bound on the makespan of traces that are too long to be solved.

A missed node costs more than a cached one by its *price*; so a request costs what it would if all of it were
cached, plus the prices of what it misses. Of all caches together, three things are known. The first request
for a node misses it. The union of m caches of k nodes is a closed set of at most m k nodes that holds every
hit, so all workers together miss at least as much as Belady does with one cache of m k nodes, also when only
some of the nodes are looked at. And somebody serves the dearest request. Proofs: docs/theory/routing.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt

from kvtheory.engine.workers import Rates
from kvtheory.errors import InputError
from kvtheory.model import CostModel, IntArray, LongArray, Number, PrefixTree, Trace
from kvtheory.offline.belady import belady

UNIT = CostModel()
LAYERS = 4  # sets of dear nodes whose misses are counted, each by one run of Belady
Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


def makespan_lower_bound(
    trace: Trace, workers: int, capacity: int, costs: CostModel = UNIT, unit: str = "nodes"
) -> Fraction:
    """A number that the largest summed service cost of a worker reaches, however requests are routed.

    The larger of the average load, when all caches are one, and of the dearest request at its cheapest. Exact
    where the costs are; with one worker, `nodes` and no attention term it is the optimum.

    Args:
        trace: the requests; of a path longer than the capacity the first `capacity` nodes are served and
            the rest are misses.
        workers: how many identical workers there are.
        capacity: nodes that each caches.
        costs: of service; a float counts as the fraction that it is.
        unit: what hits and misses are counted in, `nodes` or `tokens`.

    Raises:
        InputError: if there are no workers, a cost is negative, or a hit is dearer than a miss.
    """
    exact = _require(workers, costs, unit)
    served, _ = trace.cut(capacity)
    if not len(trace):
        return Fraction(0)
    tree = trace.tree
    weight = np.ones(tree.n + 1, np.int64) if unit == "nodes" else tree.tokens.astype(np.int64)
    weight[0] = 0
    above = tree.path_sums(weight)
    squares = above * above - above[tree.parent] ** 2
    squares[0] = 0
    seen = belady(served, tree.n + 1).hit  # nothing is evicted: the deepest node requested before
    length, hit = above[trace.requests], above[seen]
    tokens = trace.answers
    linear = exact.alpha_miss - exact.alpha_cached
    total = exact.alpha_cached * int(length.sum()) + linear * int((length - hit).sum())
    total += exact.attention * int((length * length - hit * hit).sum())
    total += (exact.fixed + exact.output) * len(trace) + exact.decode * int(tokens.sum())
    pairs = tokens * length + tokens * (tokens - 1) // 2
    total += exact.context * int(pairs.sum())
    pool = workers * capacity
    for dear, step in _layers(linear, exact.attention, weight, squares):
        total += step * _evicted(served, seen, dear, pool)
    rates = Rates.of(exact)
    t = int(np.argmax(rates.prefill(hit, length) + rates.answer(tokens, length)))
    dearest = exact.cost(int(hit[t]), int(length[t] - hit[t]), int(tokens[t]))
    return max(Fraction(total) / workers, Fraction(dearest))


def _require(workers: int, costs: CostModel, unit: str) -> CostModel:
    """The same costs in fractions."""
    if workers < 1:
        raise InputError(f"{workers} workers: at least one is needed", field="workers")
    if unit not in ("nodes", "tokens"):
        raise InputError(f"'{unit}' is not nodes or tokens", field="unit")
    for name, value in vars(costs).items():
        if not 0 <= value < float("inf"):
            raise InputError(f"{value} is not a cost", field=name)
    if costs.alpha_cached > costs.alpha_miss:
        dearer = f"alpha_cached {costs.alpha_cached} exceeds alpha_miss {costs.alpha_miss}"
        raise InputError(dearer, field="alpha_cached")
    return CostModel(**{name: Fraction(value) for name, value in vars(costs).items()})


def _layers(
    linear: Number, attention: Number, weight: LongArray, squares: LongArray
) -> list[tuple[Mask, Fraction]]:
    """Nested sets of nodes, all of them first, and by how much each one's least price exceeds the last's."""
    price = float(linear) * weight + float(attention) * squares
    if price.size == 1:
        return []
    quantiles = np.quantile(price[1:], np.arange(LAYERS) / LAYERS, method="lower")
    levels: Floats = np.unique(quantiles)
    found: list[tuple[Mask, Fraction]] = []
    below = Fraction(0)
    for level in levels:
        dear = price >= level
        dear[0] = False
        near = dear & (price <= level * (1 + 1e-9))  # the least is among them, rounded as they are
        pairs = np.unique(np.stack([weight[near], squares[near]]), axis=1).T.tolist()
        least = min(Fraction(linear * w + attention * q) for w, q in pairs)
        if least > below:
            found.append((dear, least - below))
            below = least
    return found


def _evicted(served: Trace, seen: IntArray, dear: Mask, pool: int) -> int:
    """Misses of dear nodes that were requested before, under Belady with one cache of `pool` nodes."""
    tree = served.tree
    if bool(dear[1:].all()):
        sparse, number = served, np.arange(tree.n + 1)
    else:
        # each node's nearest dear one on its path, by pointer doubling; the root stands for none
        number = np.where(dear, np.arange(tree.n + 1), np.maximum(tree.parent, 0))
        while True:
            further = number[number]
            if np.array_equal(further, number):
                break
            number = further
        rank = np.cumsum(dear)
        parent = np.concatenate([[-1], rank[number[tree.parent[dear]]]]).astype(np.int32)
        number = np.where(number > 0, rank[number], 0)
        sparse = Trace(PrefixTree(parent), number[served.requests].astype(np.int32))
    depth = sparse.tree.depth
    hit = belady(sparse, pool).hit
    return int((depth[number[seen]] - depth[hit]).sum())
