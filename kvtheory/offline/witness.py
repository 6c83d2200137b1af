"""Replays a schedule in plain Python sets, trusting nothing it is told but the victims.

The checker knows the model's rules and no algorithm: it needs no numpy, no kernel and no policy.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kvtheory.errors import VerificationError


def check_schedule(
    parent: Sequence[int],
    requests: Sequence[int],
    capacity: int,
    victims: Iterable[Sequence[int]],
    *,
    bypass: bool = False,
) -> int:
    """Return the misses of a schedule that evicts `victims[t]`, in order, while serving request t.

    Args:
        parent: parent of each node; node 0 is the root.
        requests: the requested nodes.
        capacity: nodes the cache holds.
        victims: for each request, what is evicted after its path was inserted.
        bypass: nodes of the current path may be evicted too.

    Raises:
        VerificationError: at the first step that breaks a rule, naming the request.
    """
    cached: set[int] = set()
    children: dict[int, int] = {}
    misses = 0
    steps = list(victims)
    if len(steps) != len(requests):
        raise VerificationError(f"{len(steps)} steps for {len(requests)} requests")
    for t, (v, evicted) in enumerate(zip(requests, steps, strict=True)):
        path = set()
        u = v
        while u != 0:
            path.add(u)
            u = parent[u]
        missing = path - cached
        misses += len(missing)
        cached |= missing
        for u in missing:
            children[parent[u]] = children.get(parent[u], 0) + 1
        for u in evicted:
            if u not in cached:
                raise VerificationError(f"request {t}: evicts {u}, which is not cached")
            if children.get(u, 0):
                raise VerificationError(f"request {t}: evicts {u}, which is not a leaf")
            if u in path and not bypass:
                raise VerificationError(f"request {t}: evicts {u}, which is pinned")
            cached.remove(u)
            children[parent[u]] -= 1
        if len(cached) > capacity:
            raise VerificationError(f"request {t}: {len(cached)} nodes in a cache of {capacity}")
    return misses
