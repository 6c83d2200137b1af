"""A fixed routing decouples: the joint optimum is the best routing with Belady on every worker.

Once every request has its worker, no worker's cache matters to another, so the least cost of each is that
of its own requests alone, and makespan and total cost are least when each of them is. Belady is optimal
for each.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from kvtheory.model import Trace
from kvtheory.offline.belady import belady
from kvtheory.offline.makespan_ilp import solve_routing
from kvtheory.testing.instances import Parents, all_trees, depths, requestable
from proofs_check.exhaustive import Optima
from proofs_check.instances import misses
from proofs_check.theorem import Kind, Row, Size, Theorem


def joint_optimum(
    parents: Parents, capacity: int, workers: int, requests: tuple[int, ...], hit: int, miss: int
) -> int:
    """Least makespan over routings and evictions together: all caches and loads, request by request."""
    one = Optima(parents, capacity)
    states = {((0,) * workers, (0,) * workers)}
    for v in requests:
        path, after = one.paths[v], set()
        for caches, loads in states:
            for j in range(workers):
                missed = (path & ~caches[j]).bit_count()
                load = loads[j] + miss * missed + hit * (path.bit_count() - missed)
                paid = (*loads[:j], load, *loads[j + 1 :])
                for cache in one.step({caches[j]: 0}, v):
                    after.add(((*caches[:j], cache, *caches[j + 1 :]), paid))
        states = after
    return min(max(loads) for _, loads in states)


def by_decoupling(
    parents: Parents, capacity: int, workers: int, requests: tuple[int, ...], hit: int, miss: int
) -> int:
    """Least makespan over routings, each worker served by Belady."""
    depth, best = depths(parents), None
    for routed in itertools.product(range(workers), repeat=len(requests)):
        loads = []
        for j in range(workers):
            mine = [v for v, worker in zip(requests, routed, strict=True) if worker == j]
            trace = Trace.from_parents(parents, mine)
            missed = misses(trace, belady(trace, capacity).hit) if mine else 0
            loads.append(hit * sum(depth[v] for v in mine) + (miss - hit) * missed)
        best = max(loads) if best is None else min(best, max(loads))
    return best or 0


def check(size: Size) -> Iterator[Row]:
    """Every small tree and sequence: joint dynamic programming, routing by routing, and the two solvers."""
    wrong, search, programme, cases, solved = 0, 0, 0, 0, 0
    for parents in all_trees(size["nodes"]):
        for capacity in range(1, size["nodes"] + 1):
            for hit, miss in ((0, 1), (1, 3)):
                for requests in itertools.product(requestable(parents, capacity), repeat=size["length"]):
                    instance = parents, capacity, 2, requests, hit, miss
                    best = joint_optimum(*instance)
                    wrong += by_decoupling(*instance) != best
                    cases += 1
                    if cases % size["every"] == 0:
                        trace = Trace.from_parents(parents, requests)
                        found = [
                            solve_routing(
                                trace, 2, capacity, method=method, alpha_cached=hit, alpha_miss=miss
                            ).value
                            for method in ("search", "ilp")
                        ]
                        search += found[0] != best
                        programme += found[1] != best
                        solved += 1
    what = f"shapes of {size['nodes']} nodes, sequences of {size['length']} requests, 2 workers"
    yield Row(f"{what}: best routing with Belady is not the joint optimum", wrong, "==", 0, cases)
    yield Row(f"{what}, a sample: search over routings is not the joint optimum", search, "==", 0, solved)
    yield Row(
        f"{what}, a sample: the joint integer program is not the joint optimum", programme, "==", 0, solved
    )


THEOREM = Theorem(
    statement="For a fixed routing Belady on every worker is optimal, so the joint optimum of routing and "
    "eviction is the best routing with Belady; the joint integer program has the same value.",
    kind=Kind.PROVED,
    covers=(12, 15),
    where="docs/theory/formulations.rst",
    sizes={"nodes": (3, 3, 4), "length": (3, 4, 5), "every": (20, 60, 60)},
    scope="every tree of {nodes} nodes, every sequence of {length} requests, 2 workers, two pairs of "
    "prices; the solvers on one in {every}",
    check=check,
)
