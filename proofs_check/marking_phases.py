"""Phases, and why every marking algorithm is k-competitive on trees.

A node marked in a phase is not evicted in it, so a marking algorithm misses each node of the phase's set
R at most once: at most |R| <= k misses. The first path P of the next phase has |R u P| > k. After the
first request of the phase OPT holds at most k nodes and all of that request's path; if it missed nothing
more until P is served it would hold R u P. So OPT pays at least 1 from the second request of a phase to
the first of the next.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from kvtheory.engine.reference import ReferenceEngine
from kvtheory.offline.belady import belady
from kvtheory.policies.marking import Marking
from kvtheory.ratio.cycle import maximum_cycle_ratio
from kvtheory.ratio.instance import Instance as Game
from kvtheory.ratio.work_function import work_functions
from proofs_check.instances import games, leaves_of, misses, random_instances
from proofs_check.phases import phases, requested
from proofs_check.theorem import Kind, Row, Size, Theorem

State = tuple[int, int]


def outcomes(game: Game, state: State, v: int) -> tuple[int, set[State]]:
    """Misses of a request, and every (marks, cache) that some marking algorithm may reach."""
    marks, cache = state
    path = game.paths[v]
    if (marks | path).bit_count() > game.capacity:
        marks = 0
    marks |= path
    missed, level = (path & ~cache).bit_count(), {cache | path}
    while any(mask.bit_count() > game.capacity for mask in level):
        level = {
            mask & ~(1 << u - 1)
            for mask in level
            for u in leaves_of(mask, game.parents[1:])
            if not marks >> u - 1 & 1
        }
    return missed, {(marks, mask) for mask in level}


def worst_marking(game: Game) -> Fraction:
    """The largest cost over OPT that requests and unlucky choices among unmarked leaves force for ever."""
    works = work_functions(game)
    number: dict[tuple[State, int], int] = {((0, 0), 0): 0}
    rows: list[list[tuple[int, int, int]]] = []
    for state, q in (order := [((0, 0), 0)]):  # grows while it is walked
        row = []
        for r, v in enumerate(game.requestable):
            missed, reached = outcomes(game, state, v)
            for after in sorted(reached):
                pair = after, int(works.next[q, r])
                if pair not in number:
                    number[pair] = len(order)
                    order.append(pair)
                row.append((number[pair], missed, int(works.increase[q, r])))
        rows.append(row)
    wide = max(map(len, rows))
    table = np.array([row + [(-1, 0, 0)] * (wide - len(row)) for row in rows], dtype=np.int64)
    target, alg, opt = (np.ascontiguousarray(table[:, :, i]) for i in range(3))
    return maximum_cycle_ratio(target.astype(np.int32), alg, opt).ratio or Fraction(game.tree.n)


def check(size: Size) -> Iterator[Row]:
    """Phases on random traces; the worst marking algorithm on every small tree, over all sequences."""
    large, small, apart, slow, dear, traces = 0, 0, 0, 0, 0, 0
    for instance in random_instances(40_000, size["drawn"], nodes=10, length=40):
        k, found = instance.capacity, phases(instance)
        sets = [requested(instance, requests) for requests in found]
        large += sum(len(nodes) > k for nodes in sets)
        firsts = [set(instance.path(requests[0])) for requests in found[1:]]
        small += sum(len(nodes | path) <= k for nodes, path in zip(sets, firsts, strict=False))
        best = misses(instance.trace, belady(instance.trace, k).hit)
        slow += best < len(found) - 1
        engine = ReferenceEngine(instance.tree, k, Marking)
        for requests, nodes in zip(found, sets, strict=True):
            spent = 0
            for v in requests:
                hit, _ = engine.serve(v)
                spent += engine.depth[v] - engine.depth[hit]
            dear += spent > len(nodes)
            apart += {u for u, marked in enumerate(engine.columns.marked) if marked} != nodes
        traces += 1
    yield Row("random: phases with more than k nodes", large, "==", 0, traces)
    yield Row("random: phases that did not have to end", small, "==", 0, traces)
    yield Row("random: phases whose nodes are not those the engine marked", apart, "==", 0, traces)
    yield Row("random: phases that cost deterministic marking more than their nodes", dear, "==", 0, traces)
    yield Row("random: traces on which OPT pays less than 1 per phase", slow, "==", 0, traces)
    excess, cases = Fraction(-size["nodes"]), 0
    for game in games(size["nodes"]):
        excess = max(excess, worst_marking(game) - game.capacity)
        cases += 1
    what = (
        f"shapes of at most {size['nodes']} nodes: largest ratio of the unluckiest marking algorithm, minus k"
    )
    yield Row(what, excess, "<=", 0, cases)


THEOREM = Theorem(
    statement="A phase requests at most k different nodes and ends because the next path would make them "
    "more. Every marking algorithm misses each at most once, OPT pays 1 per phase, so every marking "
    "algorithm is k-competitive.",
    kind=Kind.PROVED,
    covers=(7,),
    where="docs/theory/theorems.rst",
    sizes={"nodes": (4, 5, 6), "drawn": (150, 1000, 5000)},
    scope="{drawn} random traces; all choices and all sequences on every tree of at most {nodes} nodes",
    check=check,
)
