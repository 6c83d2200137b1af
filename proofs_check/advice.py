"""What the theorems about advice share: wrong advice, and wrong evictions from their definition."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

import numpy as np

from kvtheory.advice.advised import advised
from kvtheory.advice.oracle import Advice, Told, truth
from kvtheory.advice.predictor import NEVER
from kvtheory.object_policy import ObjectPolicy
from kvtheory.testing.instances import Instance


def told(policy: type[ObjectPolicy], advice: Advice) -> type[ObjectPolicy]:
    """A policy that is told this."""
    return advised(policy, partial(Told, advice))


def wrong_advice(instance: Instance, seed: int) -> Iterator[Advice]:
    """Advice that is slightly wrong, very wrong, turned round, the same for ever, and anything at all."""
    true = truth(instance.trace)
    rng = np.random.default_rng(seed)
    few = np.where(rng.random(true.when.size) < 0.2, rng.integers(-2, 3, true.when.size), 0)
    soon = np.minimum(true.when, len(instance.requests))
    yield Advice(true.start, np.maximum(soon + few, true.asked + 1))
    yield true.scaled(1.0, seed)
    yield true.replaced(0.5, seed)
    yield true.inverted(1.0, seed)
    nodes = np.array([u for v in instance.requests for u in instance.path(v)], dtype=np.int64)
    yield Advice(true.start, NEVER - rng.permutation(len(instance.parents) + 1)[nodes])
    yield Advice(true.start, true.asked + rng.integers(1, 2 * len(instance.requests) + 2, true.when.size))


def next_use(requests: Iterable[int], holds: Callable[[int], bool], after: int) -> float:
    """The first request after number `after` whose path holds a node; infinite if there is none."""
    return next((t for t, v in enumerate(requests) if t > after and holds(v)), float("inf"))


def are_wrong(instance: Instance, cached: set[int], t: int, gone: Iterable[int]) -> int:
    """How many of the victims `gone` of request t are wrong, the path being in `cached` already."""
    gone, path = set(gone), set(instance.path(instance.requests[t]))
    use = {
        u: next_use(instance.requests, lambda v, u=u: u in instance.path(v), t)  # type: ignore[misc]
        for u in cached - path
    }
    by_need = sorted(use, key=lambda u: (use[u], instance.depth[u]))
    kept = set(by_need[: len(by_need) - len(gone)])
    return sum(u in kept and use[u] < float("inf") for u in gone)


def wrong_in_all(instance: Instance, victims: list[list[int]]) -> int:
    """Wrong evictions of a whole schedule."""
    cached: set[int] = set()
    found = 0
    for t, gone in enumerate(victims):
        cached |= set(instance.path(instance.requests[t]))
        found += are_wrong(instance, cached, t, gone)
        cached -= set(gone)
    return found
