"""No deterministic online algorithm is better than max(1, W - 1)."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from kvtheory.engine.reference import ReferenceEngine
from kvtheory.model import Trace
from kvtheory.offline.belady import belady
from kvtheory.policy import Policy
from kvtheory.ratio.instance import Instance as Game
from kvtheory.ratio.minimax import best_deterministic
from kvtheory.registry import policies
from kvtheory.width import width
from proofs_check.instances import closed_sets, games, leaves_of, misses
from proofs_check.theorem import Kind, Row, Size, Theorem


def widest_leaves(game: Game) -> list[int]:
    """Leaves of a closed set of k+1 nodes with as many leaves as possible, by enumeration."""
    parents = game.parents[1:]
    sets = (mask for mask in closed_sets(parents) if mask.bit_count() == game.capacity + 1)
    return max((leaves_of(mask, parents) for mask in sets), key=len)


def adaptive_ratio(game: Game, policy: type[Policy], requests: int) -> Fraction:
    """ALG/OPT of the sequence that always asks for a leaf of the widest set that is not fully cached."""
    leaves = widest_leaves(game)
    engine = ReferenceEngine(game.tree, game.capacity, policy)
    sequence, hits = [], []
    for _ in range(requests):
        missing = next(v for v in leaves if v not in engine.cached)
        sequence.append(missing)
        hits.append(engine.serve(missing)[0])
    trace = Trace(game.tree, np.array(sequence, dtype=np.int32))
    return Fraction(misses(trace, hits), misses(trace, belady(trace, game.capacity).hit))


def check(size: Size) -> Iterator[Row]:
    """The game in which any deterministic algorithm may play; the adaptive adversary against every policy."""
    wrong, cases = 0, 0
    for game in games(size["nodes"]):
        wrong += best_deterministic(game).ratio != max(1, width(game.tree, game.capacity).W - 1)
        cases += 1
    what = f"all shapes of at most {size['nodes']} nodes: value of the game is not max(1, W - 1)"
    yield Row(what, wrong, "==", 0, cases)
    requests, wide = size["requests"], [game for game in games(5) if width(game.tree, game.capacity).W > 2]
    for name, policy in sorted(policies().items()):
        if policy.randomised():
            continue
        shortfall = Fraction(-len(wide))
        for game in wide:
            W = width(game.tree, game.capacity).W
            # beyond one miss per W - 1 requests OPT pays at most the first load of k+1 nodes
            slack = Fraction((W - 1) * (game.capacity + 2), requests // (W - 1))
            shortfall = max(shortfall, W - 1 - slack - adaptive_ratio(game, policy, requests))
        what = f"adaptive adversary on shapes of at most 5 nodes: W - 1 - (ALG/OPT) of {name}"
        yield Row(what, shortfall, "<=", 0, len(wide))


THEOREM = Theorem(
    statement="Every deterministic online algorithm is at least (W - 1)-competitive; the best one is "
    "exactly max(1, W - 1)-competitive.",
    kind=Kind.PROVED,
    covers=(4,),
    where="docs/theory/width.rst",
    sizes={"nodes": (5, 7, 7), "requests": (300, 1000, 4000)},
    scope="the game's value on every tree of at most {nodes} nodes; {requests} adaptive requests on 5 nodes",
    check=check,
)
