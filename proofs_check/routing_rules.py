"""Simple online routers over leaf-LRU caches, and the optimum where caches hold everything."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from kvtheory.engine.reference import ReferenceEngine
from kvtheory.model import PrefixTree
from kvtheory.policies.lru import LeafLRU
from kvtheory.policy import Policy
from kvtheory.testing.instances import Parents


@dataclass
class Fleet:
    """Identical workers, their loads, and the prices of a hit and a miss of one node.

    Args:
        parents: parent of node 1, 2, ...
        workers: how many.
        capacity: nodes each caches.
        hit, miss: cost of a cached and of a missed node.
        policy: evicts on every worker.
    """

    parents: Parents
    workers: int
    capacity: int
    hit: int
    miss: int
    policy: type[Policy] = LeafLRU
    served: int = 0
    loads: list[int] = field(init=False)
    caches: list[ReferenceEngine] = field(init=False)

    def __post_init__(self) -> None:
        tree = PrefixTree.from_parents(self.parents)
        self.loads = [0] * self.workers
        self.caches = [ReferenceEngine(tree, self.capacity, self.policy) for _ in range(self.workers)]

    def cached(self, j: int, v: int) -> int:
        """Nodes on the path of v that worker j holds."""
        count = 0
        while v:
            count += v in self.caches[j].cached
            v = self.caches[j].parent[v]
        return count

    def cost(self, j: int, v: int) -> int:
        """What serving v costs worker j."""
        held = self.cached(j, v)
        return self.hit * held + self.miss * (self.caches[j].depth[v] - held)

    def send(self, j: int, v: int) -> None:
        """Serve v on worker j."""
        self.loads[j] += self.cost(j, v)
        self.caches[j].serve(v)
        self.served += 1


Router = Callable[[Fleet, int], int]


def affinity(fleet: Fleet, v: int) -> int:
    """The worker with the longest cached prefix; ties to the lowest."""
    return max(range(fleet.workers), key=lambda j: (fleet.cached(j, v), -j))


def greedy(fleet: Fleet, v: int) -> int:
    """The worker whose load will be least, at the true cost of the request; ties to the lowest."""
    return min(range(fleet.workers), key=lambda j: (fleet.loads[j] + fleet.cost(j, v), j))


def round_robin(fleet: Fleet, v: int) -> int:
    """The workers by turns."""
    return fleet.served % fleet.workers


def least_loaded(fleet: Fleet, v: int) -> int:
    """The worker whose load is least now; ties to the lowest."""
    return min(range(fleet.workers), key=lambda j: (fleet.loads[j], j))


ROUTERS: dict[str, Router] = {
    "affinity": affinity,
    "greedy": greedy,
    "round robin": round_robin,
    "least loaded": least_loaded,
}


def makespan(fleet: Fleet, router: Router, requests: Sequence[int]) -> int:
    """The largest load once every request is served."""
    for v in requests:
        fleet.send(router(fleet, v), v)
    return max(fleet.loads)


def least_makespan(fleet: Fleet, requests: Sequence[int]) -> int:
    """The optimum where every cache holds the whole tree: every routing; no worker misses a node twice."""
    depth, parent = fleet.caches[0].depth, fleet.caches[0].parent
    paths = []
    for request in requests:
        path, v = set(), request
        while v:
            path.add(v)
            v = parent[v]
        paths.append(path)
    extra = fleet.miss - fleet.hit
    best = None
    for routed in itertools.product(range(fleet.workers), repeat=len(requests) - 1):
        loads = []
        for j in range(fleet.workers):
            mine = [t for t, worker in enumerate((0, *routed)) if worker == j]
            missed = set[int]().union(*(paths[t] for t in mine))
            loads.append(fleet.hit * sum(depth[requests[t]] for t in mine) + extra * len(missed))
        best = max(loads) if best is None else min(best, max(loads))
    return best or 0
