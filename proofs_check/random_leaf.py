"""Evicting a uniformly random leaf is exactly max(1, W - 1)-competitive."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from kvtheory.engine.exact import ExactEngine
from kvtheory.model import PrefixTree
from kvtheory.policies.random import RandomLeaf
from kvtheory.ratio.belief import belief_graph
from kvtheory.ratio.instance import Instance as Game
from kvtheory.ratio.work_function import work_functions
from kvtheory.testing.instances import all_trees
from kvtheory.width import width
from proofs_check.instances import games
from proofs_check.theorem import Kind, Row, Size, Theorem


def law(game: Game) -> int:
    """max(1, W - 1)."""
    return max(1, width(game.tree, game.capacity).W - 1)


def drifts(game: Game, weight: int) -> Iterator[tuple[Fraction, Fraction]]:
    """The two sides of the step of the upper bound: every cache, request, and OPT that holds its path.

    Returns:
        the expected change of `weight` |A - O| while the policy serves the request, and its expected
        evictions. The theorem says that their sum is at most 0 where `weight` is max(1, W - 1).
    """
    engine = ExactEngine(game.tree, game.capacity, RandomLeaf)
    caches = game.closed.tolist()
    for mask in caches:
        state = tuple((int(v > 0 and mask >> v - 1 & 1),) for v in range(game.tree.n + 1))
        for v in game.requestable:
            misses, outcomes = engine.serve(state, v)
            after = [(engine.cached(then), chance) for then, chance in outcomes]
            for opt in caches:
                if opt & game.paths[v] == game.paths[v]:
                    before = (mask & ~opt).bit_count()
                    moved, evicted = Fraction(0), Fraction(0)
                    for held, chance in after:
                        moved += chance * weight * ((held & ~opt).bit_count() - before)
                        evicted += chance * (mask.bit_count() + misses - held.bit_count())
                    yield moved, evicted


def phases(game: Game, rounds: int) -> Iterator[tuple[Fraction, int]]:
    """The lower bound's sequence on a tree of k + 1 nodes with W >= 2 leaves, in exact expectation.

    Each leaf is requested once. A phase has a target, the leaves by turns: all leaves but the target, in
    `rounds` rounds.

    Returns:
        for twice as many phases as leaves: expected misses, and the increase of OPT.
    """
    leaves = [v for v in range(1, game.tree.n + 1) if v not in game.parents[1:]]
    beliefs = belief_graph(game, RandomLeaf, budget=1).beliefs.without_symmetry()
    works = work_functions(game)
    row = {v: r for r, v in enumerate(game.requestable)}
    belief, q = beliefs.start, 0
    for v in leaves:
        _, belief = beliefs.serve(belief, v)
        q = int(works.next[q, row[v]])
    for target in leaves * 2:
        spent, opt = Fraction(0), 0
        for v in [leaf for leaf in leaves if leaf != target] * rounds:
            misses, belief = beliefs.serve(belief, v)
            spent += misses
            opt += int(works.increase[q, row[v]])
            q = int(works.next[q, row[v]])
        yield spent, opt


def check(size: Size) -> Iterator[Row]:
    """The step of the upper bound on every transition; the lower bound's sequence on every full tree."""
    worst, cases = Fraction(-size["nodes"]), 0
    for game in games(size["nodes"]):
        for moved, evicted in drifts(game, law(game)):
            worst, cases = max(worst, moved + evicted), cases + 1
    what = f"shapes of at most {size['nodes']} nodes, every transition"
    yield Row(f"{what}: largest E[change of L |A - O|] + E[evictions]", worst, "<=", 0, cases)
    short, over, owed, cases = Fraction(-size["nodes"]), Fraction(-size["nodes"]), 0, 0
    for n in range(2, size["nodes"] + 1):
        for parents in all_trees(n):
            tree = PrefixTree.from_parents(parents)
            if tree.height == n:  # one leaf: W = 1
                continue
            game = Game.of(tree, n - 1)
            bound, several = law(game), n - len(set(parents) - {0})
            missed = Fraction(several - 2, several - 1) ** size["rounds"]
            found = list(phases(game, size["rounds"]))[several:]
            short = max(short, *(bound * (1 - missed) ** 2 - spent for spent, _ in found))
            over = max(over, *(spent - bound for spent, _ in found))
            owed = max(owed, sum(opt for _, opt in found) - several)
            cases += len(found)
    what = f"trees of at most {size['nodes']} nodes, k = n - 1, phases of {size['rounds']} rounds"
    yield Row(f"{what}: largest (W - 1)(1 - d)^2 - E[misses of a phase]", short, "<=", 0, cases)
    yield Row(f"{what}: largest E[misses of a phase] - (W - 1)", over, "<=", 0, cases)
    yield Row(f"{what}: largest OPT - phases", owed, "<=", 0, cases)


THEOREM = Theorem(
    statement="Evicting a uniformly random leaf, off the path being served, is exactly L-competitive, L = "
    "max(1, W - 1), even against an adversary who sees the cache: each eviction lowers L |A - O| by at least "
    "1 in expectation. Phases of N rounds cost it at least (W - 1)(1 - d)^2, d = (1 - 1/(W - 1))^N, and OPT "
    "1.",
    kind=Kind.PROVED,
    covers=(7,),
    where="docs/theory/atlas.rst",
    sizes={"nodes": (4, 5, 5), "rounds": (8, 14, 20)},
    scope="every cache, request and cache of OPT on every tree of at most {nodes} nodes; phases of {rounds} "
    "rounds on those with k = n - 1",
    check=check,
)
