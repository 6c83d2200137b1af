"""Optima that are not, each with the check that must catch it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from kvtheory.model import Trace
from kvtheory.offline.belady import Schedule, belady
from kvtheory.policies.lru import LeafLRU
from kvtheory.testing.subject import Mutant, Subject


def plain_belady(
    trace: Trace, capacity: int, *, bypass: bool = False, witness: bool = False, nearest: bool = False
) -> Schedule:
    """Belady on trees in plain Python; `nearest` evicts the nearest next use instead."""
    requests = trace.requests.tolist()
    paths = [trace.tree.path(v) for v in range(trace.tree.n + 1)]
    parent = trace.tree.parent.tolist()
    uses: list[list[int]] = [[] for _ in paths]
    for t in range(len(requests) - 1, -1, -1):
        for u in paths[requests[t]]:
            uses[u].append(t)
    cached: set[int] = set()
    hit, victims, offsets = [], [], [0]
    for v in requests:
        path = paths[v]
        hit.append(max((u for u in path if u in cached), default=0, key=paths[v].index))
        cached.update(path)
        for u in path:
            uses[u].pop()
        while len(cached) > capacity:
            inner = {parent[u] for u in cached}
            free = [u for u in cached - inner if bypass or u not in path]
            next_use = {u: uses[u][-1] if uses[u] else len(requests) for u in free}
            choose: Callable[..., int] = min if nearest else max
            victim = choose(free, key=lambda u: (next_use[u], u))
            cached.remove(victim)
            victims.append(victim)
        offsets.append(len(victims))
    kept = (victims, offsets) if witness else ([], [])
    return Schedule(np.array(hit, np.int32), np.array(kept[0], np.int32), np.array(kept[1], np.int64), bypass)


def _nearest(*args: Any, **kwargs: Any) -> Schedule:
    return plain_belady(*args, **kwargs, nearest=True)


def _pretends(trace: Trace, capacity: int, *, bypass: bool = False, witness: bool = False) -> Schedule:
    """Says that the last request hit its whole path."""
    found = belady(trace, capacity, bypass=bypass, witness=witness)
    hit = found.hit.copy()
    hit[-1:] = trace.requests[-1:]
    return Schedule(hit, found.victims, found.offsets, bypass)


def _one_worse(trace: Trace, capacity: int, *, bypass: bool = False, witness: bool = False) -> Schedule:
    """Says that the last request missed its whole path."""
    found = belady(trace, capacity, bypass=bypass, witness=witness)
    hit = found.hit.copy()
    hit[-1:] = 0
    return Schedule(hit, found.victims, found.offsets, bypass)


def _ignores_bypass(trace: Trace, capacity: int, *, bypass: bool = False, witness: bool = False) -> Schedule:
    return belady(trace, capacity, witness=witness)


def _false_witness(trace: Trace, capacity: int, *, bypass: bool = False, witness: bool = False) -> Schedule:
    """The right value, and victims one request too late."""
    found = belady(trace, capacity, bypass=bypass, witness=witness)
    late = np.minimum(found.offsets, np.append(0, found.offsets[:-1])) if witness else found.offsets
    return Schedule(found.hit, found.victims, late, bypass)


def _backward_witness(
    trace: Trace, capacity: int, *, bypass: bool = False, witness: bool = False
) -> Schedule:
    """The right value, and each request's victims in the wrong order, parents first."""
    found = belady(trace, capacity, bypass=bypass, witness=witness)
    victims = found.victims.copy()
    for a, b in itertools.pairwise(found.offsets.tolist()):
        victims[a:b] = victims[a:b][::-1]
    return Schedule(found.hit, victims, found.offsets, bypass)


OPTIMUM_MUTANTS: dict[str, Mutant] = {
    "OPT too high": Mutant(Subject(LeafLRU, optimum=_one_worse), "optimum"),
    "OPT too high, seen by brute force": Mutant(Subject(LeafLRU, optimum=_one_worse), "optimal"),
    "OPT too low": Mutant(Subject(LeafLRU, optimum=_pretends), "optimal"),
    "OPT evicts the nearest next use": Mutant(Subject(LeafLRU, optimum=_nearest), "optimal"),
    "OPT ignores bypass": Mutant(Subject(LeafLRU, optimum=_ignores_bypass), "optimal"),
    "OPT's hits are not its witness's": Mutant(Subject(LeafLRU, optimum=_pretends), "witness"),
    "a witness that evicts late": Mutant(Subject(LeafLRU, optimum=_false_witness), "witness"),
    "a witness in the wrong order": Mutant(Subject(LeafLRU, optimum=_backward_witness), "witness"),
}
"""By what is wrong with it."""
