"""Longest-prefix affinity and finite caches: one shared node draws everything to one worker.

m chains of k nodes share their first node and are requested by turns, k nodes fit a worker. Every chain's
first node is cached on the first worker and nothing on the others, so affinity sends every request there,
and each misses its k - 1 other nodes. One chain per worker misses m k nodes in all, whatever the number
of rounds.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from kvtheory.model import Trace
from kvtheory.offline.makespan_ilp import solve_routing
from kvtheory.testing.instances import Parents
from proofs_check.routing_rules import Fleet, affinity, makespan
from proofs_check.theorem import Kind, Row, Size, Theorem


def shared_first_node(m: int, k: int) -> tuple[Parents, list[int]]:
    """Chains of k nodes, m of them, that share the first, and their last nodes."""
    parents, tips = [0], []
    for _ in range(m):
        parents += [1, *range(len(parents) + 1, len(parents) + k - 1)]
        tips.append(len(parents))
    return tuple(parents), tips


def by_chain(tips: list[int], _: Fleet, v: int) -> int:
    """The worker of a chain."""
    return tips.index(v)


def check(size: Size) -> Iterator[Row]:
    """The family for growing rounds; hits are free."""
    for m, k in ((2, 2), (2, 3), (3, 3)):
        parents, tips = shared_first_node(m, k)
        for rounds in (2, size["rounds"]):
            requests = tips * rounds
            what = f"{m} chains of {k} sharing a node, k={k}, m={m}, {rounds} rounds"
            found = makespan(Fleet(parents, m, k, 0, 1), affinity, requests)
            yield Row(f"{what}: affinity", found, "==", 1 + m * rounds * (k - 1), 1)
            fixed = makespan(Fleet(parents, m, k, 0, 1), partial(by_chain, tips), requests)
            yield Row(f"{what}: one chain per worker", fixed, "==", k, 1)
            if len(requests) <= 12:
                best = solve_routing(Trace.from_parents(parents, requests), m, k, method="search").value
                yield Row(f"{what}: OPT", best, "==", k, 1)


THEOREM = Theorem(
    statement="Refuted: 'longest-prefix affinity is competitive for finite caches'. On m chains of k nodes "
    "that share their first node, requested by turns, it sends everything to one worker and its ratio grows "
    "without bound.",
    kind=Kind.REFUTED,
    covers=(13,),
    where="docs/theory/theorems.rst",
    sizes={"rounds": (128, 1024, 8192)},
    scope="three families of up to {rounds} rounds",
    check=check,
)
