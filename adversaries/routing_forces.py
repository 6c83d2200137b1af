"""What a family of sequences forces on routers, as data: held by the tests, printed by the documentation.

A statement is about makespans: the largest summed service cost of a worker under these routers, all requests
at time 0, and the least possible. The families' modules hold their statements in a tuple `ROUTING`;
:func:`routing_statements` collects them. A case names the family's parameters and the setting: `workers`,
`hit` and `miss`, where they are no parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import numpy as np

from adversaries.forces import DETERMINISTIC, Statement, collected
from kvtheory.engine.cluster import ClusterRun, simulate
from kvtheory.model import CostModel, LongArray, Trace
from kvtheory.offline.belady import belady
from kvtheory.registry import lookup, policy_with_columns, routers
from kvtheory.router import Router


@dataclass(frozen=True)
class ForcedRouting:
    """One statement at given parameters; all numbers are exact.

    Attributes:
        workers: how many.
        capacity: nodes that each caches.
        costs: of a cached and of a missed node.
        makespan: of the routers that the statement is about.
        opt: the least makespan.
        limit: what makespan/opt tends to as the sequence grows; None where it grows without bound.
    """

    workers: int
    capacity: int
    costs: CostModel
    makespan: Fraction
    opt: Fraction
    limit: Fraction | None

    @property
    def ratio(self) -> Fraction:
        """What this trace proves: makespan/opt."""
        return self.makespan / self.opt


@dataclass(frozen=True)
class ForcesRouting(Statement[ForcedRouting]):
    """What one family forces on routers: `against` names them, or is `DETERMINISTIC`.

    Args:
        best: the worker of every request in a routing that Belady serves at the makespan `opt`.
        cases: parameters and settings at which the tests hold it; the first also stands in the documentation.
        makespan_is: whether `ForcedRouting.makespan` is exact or a lower bound.
        opt_is: whether `ForcedRouting.opt` is exact or an upper bound.
        longer: the parameter or price that makes the ratio tend to its limit.
        evicted_by: the policies that it is tested with; the argument needs none in particular.
    """

    best: Callable[[Trace, ForcedRouting], Sequence[int]]
    cases: tuple[Mapping[str, Any], ...]
    makespan_is: Literal["==", ">="] = "=="
    opt_is: Literal["==", "<="] = "=="
    longer: str = "rounds"
    evicted_by: tuple[str, ...] = ("lru", "rlt")

    def victims(self) -> list[type[Router]]:
        """The registered routers that the statement is about."""
        known = routers()
        if isinstance(self.against, tuple):
            return [lookup(known, name, "router") for name in self.against]
        assert self.against == DETERMINISTIC
        return [router for _, router in sorted(known.items()) if not router.draws]


def routing_statements() -> list[ForcesRouting]:
    """The statements of every installed workload, by the workload's name."""
    return collected("ROUTING")


def routed(trace: Trace, forced: ForcedRouting, router: type[Router], policy: str = "lru") -> ClusterRun:
    """What a router makes of a trace in the statement's setting, all requests at time 0."""
    evicts = policy_with_columns(policy)
    return simulate(trace, forced.workers, forced.capacity, evicts, router, costs=forced.costs)


def belady_hits(trace: Trace, routing: Sequence[int], capacity: int) -> LongArray:
    """Cached nodes of each request where every worker evicts by Belady, int64, shape (N,)."""
    hits, chosen = np.zeros(len(trace), np.int64), np.asarray(routing)
    for worker in np.unique(chosen):
        mine = np.flatnonzero(chosen == worker)
        hits[mine] = trace.tree.depth[belady(Trace(trace.tree, trace.requests[mine]), capacity).hit]
    return hits


def best_makespan(trace: Trace, forced: ForcedRouting, routing: Sequence[int]) -> Fraction:
    """Makespan of a routing with the best evictions."""
    loads = [Fraction(0)] * forced.workers
    hits = belady_hits(trace, routing, forced.capacity).tolist()
    for worker, hit, depth in zip(routing, hits, trace.depths.tolist(), strict=True):
        loads[worker] += Fraction(forced.costs.cost(hit, depth - hit))
    return max(loads)
