"""The facts about work functions that the exact solvers stand on.

w(S) is the least cost of serving the requests so far and ending in the cache S, where a node may be
loaded before it is requested, at cost 1. Dropping is free, so w falls from a set to its subsets; loading
a node costs 1, so w rises by at most 1 with a node; a request of path P makes every way pass through a
set that holds P, so the minimum is attained at one. A prefetch can wait until the node is requested, or
be left out, so OPT, the minimum of w, is the same without prefetching.
"""

from __future__ import annotations

from collections.abc import Iterator

from kvtheory.ratio.instance import Instance as Game
from kvtheory.ratio.work_function import WorkFunctions, work_functions
from proofs_check.exhaustive import Optima
from proofs_check.instances import games
from proofs_check.theorem import Kind, Row, Size, Theorem


def faults_of_shape(works: WorkFunctions) -> tuple[int, int]:
    """Steps by one node at which w falls or rises by more than 1; requests after which no minimum holds P."""
    game = works.instance
    low, high = game.steps
    rise = works.value[:, high].astype(int) - works.value[:, low]
    steep = int(((rise < 0) | (rise > 1)).sum())
    sets, lost = game.closed, 0
    for r, v in enumerate(game.requestable):
        holds = (sets & game.paths[v]) == game.paths[v]
        lost += int((works.value[works.next[:, r]][:, holds].min(axis=1) != 0).sum())
    return steep, lost


def lazy_increases(game: Game, works: WorkFunctions) -> tuple[int, int]:
    """Walk both automata, with and without prefetching, through every pair of states that occurs together.

    Returns:
        Pairs and requests at which OPT grows by different amounts, and how many were compared.
    """
    optima = Optima(game.parents[1:], game.capacity)
    start: tuple[int, tuple[tuple[int, int], ...]] = (0, ((0, 0),))
    seen, wrong, edges = {start}, 0, 0
    waiting = [start]
    while waiting:
        q, lazy = waiting.pop()
        for r, v in enumerate(game.requestable):
            layer = optima.step(dict(lazy), v)
            least = min(layer.values())
            wrong += least != int(works.increase[q, r])
            edges += 1
            # a state dearer than the best by more than k is of no use: load its nodes when they are requested
            kept = ((s, cost - least) for s, cost in layer.items() if cost - least <= game.capacity)
            pair = int(works.next[q, r]), tuple(sorted(kept))
            if pair not in seen:
                seen.add(pair)
                waiting.append(pair)
    return wrong, edges


def wrong_optima(game: Game, works: WorkFunctions, length: int) -> tuple[int, int]:
    """Sequences whose OPT by the automaton is not that of dynamic programming over states, of how many."""
    row = {v: r for r, v in enumerate(game.requestable)}
    wrong, count = 0, 0
    for requests, best in Optima(game.parents[1:], game.capacity).sequences(length):
        q, total = 0, 0
        for v in requests:
            total += int(works.increase[q, row[v]])
            q = int(works.next[q, row[v]])
        wrong += total != best
        count += 1
    return wrong, count


def check(size: Size) -> Iterator[Row]:
    """Every reachable work function of every small game."""
    steep, lost, functions, wide = 0, 0, 0, 0
    prefetched, edges, wrong, sequences = 0, 0, 0, 0
    for game in games(size["nodes"]):
        works = work_functions(game)
        functions += len(works)
        found = faults_of_shape(works)
        steep, lost = steep + found[0], lost + found[1]
        wide += int((works.value.max(axis=1) > game.capacity).sum())
        if game.tree.n <= size["walked"]:
            found = lazy_increases(game, works)
            prefetched, edges = prefetched + found[0], edges + found[1]
            found = wrong_optima(game, works, size["length"])
            wrong, sequences = wrong + found[0], sequences + found[1]
    what = f"all work functions on shapes of at most {size['nodes']} nodes"
    yield Row(f"{what}: steps by one node that fall, or rise by more than 1", steep, "==", 0, functions)
    yield Row(f"{what}: requests after which no minimum holds the path", lost, "==", 0, functions)
    yield Row(f"{what}: those that exceed their minimum by more than k", wide, "==", 0, functions)
    what = f"shapes of at most {size['walked']} nodes, all sequences"
    yield Row(f"{what}: increases that prefetching changes", prefetched, "==", 0, edges)
    what = f"shapes of at most {size['walked']} nodes, all sequences of {size['length']} requests"
    yield Row(f"{what}: sum of increases is not OPT", wrong, "==", 0, sequences)


THEOREM = Theorem(
    statement="A work function w satisfies w(S) <= w(S + v) <= w(S) + 1 and attains its minimum at a set "
    "that holds the last path; its minimum grows with OPT; allowing prefetches at unit cost changes no OPT.",
    kind=Kind.PROVED,
    covers=(4, 6),
    where="docs/theory/theorems.rst",
    sizes={"nodes": (5, 6, 7), "walked": (4, 4, 5), "length": (4, 6, 6)},
    scope="every work function on trees of at most {nodes} nodes; every sequence, of {length} requests "
    "where OPT is recomputed, on trees of at most {walked}",
    check=check,
)
