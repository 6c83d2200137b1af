"""Replays a schedule in plain Python sets, trusting nothing it is told but the victims and the workers.

The checker knows the model's rules and no algorithm: it needs no numpy, no kernel, no policy and no solver.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from kvtheory.errors import VerificationError

Number = int | Fraction


@dataclass(frozen=True)
class Replayed:
    """What a schedule was found to do.

    Attributes:
        misses: nodes missed, over all requests.
        costs: cost of each request.
    """

    misses: int
    costs: tuple[Number, ...]

    @property
    def total(self) -> Number:
        """Total cost."""
        return sum(self.costs)


class _Cache:
    """One cache: an ancestor-closed set that refuses every step the model does not allow."""

    def __init__(self, parent: Sequence[int], capacity: int, size: Sequence[int] | None) -> None:
        self.parent, self.capacity, self.size = parent, capacity, size
        self.cached: set[int] = set()
        self.children: dict[int, int] = {}
        self.used = 0

    def serve(self, t: int, v: int, evicted: Sequence[int], bypass: bool) -> tuple[list[int], set[int]]:
        """Serve request t; returns its path and what of it was missing."""
        path = []
        u = v
        while u != 0:
            path.append(u)
            u = self.parent[u]
        pinned = set() if bypass else set(path)
        missing = set(path) - self.cached
        self.cached |= missing
        for u in missing:
            self.children[self.parent[u]] = self.children.get(self.parent[u], 0) + 1
            self.used += 1 if self.size is None else self.size[u]
        for u in evicted:
            if u not in self.cached:
                raise VerificationError(f"request {t}: evicts {u}, which is not cached")
            if self.children.get(u, 0):
                raise VerificationError(f"request {t}: evicts {u}, which is not a leaf")
            if u in pinned:
                raise VerificationError(f"request {t}: evicts {u}, which is pinned")
            self.cached.remove(u)
            self.children[self.parent[u]] -= 1
            self.used -= 1 if self.size is None else self.size[u]
        if self.used > self.capacity:
            unit = "nodes" if self.size is None else "units"
            raise VerificationError(f"request {t}: {self.used} {unit} in a cache of {self.capacity}")
        return path, missing


def replay_schedule(
    parent: Sequence[int],
    requests: Sequence[int],
    capacity: int,
    victims: Iterable[Sequence[int]],
    *,
    bypass: bool = False,
    miss_cost: Sequence[Number] | None = None,
    hit_cost: Sequence[Number] | None = None,
    size: Sequence[int] | None = None,
) -> Replayed:
    """Replay a schedule that evicts `victims[t]`, in order, while serving request t.

    Args:
        parent: parent of each node; node 0 is the root.
        requests: the requested nodes.
        capacity: what the cache holds, in nodes, or in units of `size`.
        victims: for each request, what is evicted after its path was inserted.
        bypass: nodes of the current path may be evicted too.
        miss_cost: cost of a missed node, by node; default 1.
        hit_cost: cost of a node that is hit, by node; default 0.
        size: units of capacity, by node; default 1.

    Raises:
        VerificationError: at the first step that breaks a rule, naming the request.
    """
    cache = _Cache(parent, capacity, size)
    misses, costs = 0, []
    steps = list(victims)
    if len(steps) != len(requests):
        raise VerificationError(f"{len(steps)} steps for {len(requests)} requests")
    for t, (v, evicted) in enumerate(zip(requests, steps, strict=True)):
        path, missing = cache.serve(t, v, evicted, bypass)
        misses += len(missing)
        paid: Number = 0
        for u in path:
            if u in missing:
                paid += 1 if miss_cost is None else miss_cost[u]
            elif hit_cost is not None:
                paid += hit_cost[u]
        costs.append(paid)
    return Replayed(misses, tuple(costs))


def check_schedule(
    parent: Sequence[int],
    requests: Sequence[int],
    capacity: int,
    victims: Iterable[Sequence[int]],
    *,
    bypass: bool = False,
) -> int:
    """Return the misses of a schedule that evicts `victims[t]`, in order, while serving request t.

    Args and Raises: as :func:`replay_schedule`.
    """
    return replay_schedule(parent, requests, capacity, victims, bypass=bypass).misses


@dataclass(frozen=True)
class ReplayedRouting:
    """What a routing with its evictions was found to do.

    Attributes:
        misses: nodes missed, over all workers.
        loads: summed service cost of each worker.
        latencies: of each request, queueing plus service; workers serve in order of arrival.
    """

    misses: int
    loads: tuple[Number, ...]
    latencies: tuple[Number, ...]


def replay_routing(
    parent: Sequence[int],
    requests: Sequence[int],
    workers: int,
    capacity: int,
    assigned: Sequence[int],
    victims: Iterable[Sequence[int]],
    *,
    alpha_cached: Number = 0,
    alpha_miss: Number = 1,
    output: Sequence[Number] | None = None,
    release: Sequence[Number] | None = None,
    weight: Sequence[Number] | None = None,
) -> ReplayedRouting:
    """Replay a routing: request t is served by worker `assigned[t]`, which evicts `victims[t]` meanwhile.

    Service cost = alpha_cached * hit + alpha_miss * miss + output [Wu2026]_.

    Args:
        parent: parent of each node; node 0 is the root.
        requests: the requested nodes.
        workers: how many there are, each with its own cache.
        capacity: nodes each cache holds.
        assigned: the worker of each request, from 0.
        victims: for each request, what its worker evicts after the path was inserted.
        alpha_cached: cost per unit of hit.
        alpha_miss: cost per unit of miss.
        output: cost of the answer of each request; default 0.
        release: when each request arrives; default 0.
        weight: units of each node (tokens); default 1.

    Raises:
        VerificationError: at the first step that breaks a rule, naming the request.
    """
    steps = list(victims)
    if len(steps) != len(requests) or len(assigned) != len(requests):
        raise VerificationError(f"{len(steps)} steps, {len(assigned)} workers for {len(requests)} requests")
    caches = [_Cache(parent, capacity, None) for _ in range(workers)]
    loads: list[Number] = [0] * workers
    free: list[Number] = [0] * workers
    misses, latencies = 0, []
    for t, (v, w, evicted) in enumerate(zip(requests, assigned, steps, strict=True)):
        if not 0 <= w < workers:
            raise VerificationError(f"request {t}: worker {w} of {workers}")
        path, missing = caches[w].serve(t, v, evicted, False)
        misses += len(missing)
        paid: Number = 0 if output is None else output[t]
        for u in path:
            paid += (alpha_miss if u in missing else alpha_cached) * (1 if weight is None else weight[u])
        arrives = 0 if release is None else release[t]
        loads[w] += paid
        free[w] = max(free[w], arrives) + paid
        latencies.append(free[w] - arrives)
    return ReplayedRouting(misses, tuple(loads), tuple(latencies))
