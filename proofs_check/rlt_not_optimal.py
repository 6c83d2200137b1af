"""RLT is not the best randomised algorithm, and can lose to leaf-LRU."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from kvtheory.model import PrefixTree
from kvtheory.policies.lru import LeafLRU
from kvtheory.policies.rlt import RLT
from kvtheory.ratio.game import exact_ratio
from kvtheory.ratio.instance import Instance as Game
from kvtheory.ratio.minimax import best_randomized
from kvtheory.ratio.work_function import work_functions
from proofs_check.rlt_chain import START, serve
from proofs_check.theorem import Kind, Row, Size, Theorem

LOSSES: tuple[tuple[tuple[int, ...], int, tuple[int, ...], Fraction, Fraction], ...] = (
    ((0, 1, 0, 3, 0, 5), 4, (2, 4, 5, 4, 6, 1, 6, 2, 3), Fraction(5, 2), Fraction(3, 2)),
    ((0, 1, 1, 0, 4, 0), 3, (), Fraction(25, 12), Fraction(3, 2)),
)


def in_the_long_run(game: Game, cycle: tuple[int, ...], rounds: int) -> Fraction:
    """RLT's expected misses over OPT in the last of some rounds of a cycle, by leaf deletions."""
    works = work_functions(game)
    row = {v: r for r, v in enumerate(game.requestable)}
    state, q, spent, opt = START, 0, Fraction(0), 0
    for _ in range(rounds):
        spent, opt = Fraction(0), 0
        for v in cycle:
            _, missed, state = serve(game, state, v)
            spent += missed
            opt += int(works.increase[q, row[v]])
            q = int(works.next[q, row[v]])
    return spent / opt


def check(size: Size) -> Iterator[Row]:
    """The star by both exact solvers; two trees on which a cycle costs RLT more than leaf-LRU."""
    game = Game.of(PrefixTree.from_parents([0] * 5), 3)
    yield Row("star:5, k=3: RLT", exact_ratio(game, RLT).ratio or Fraction(0), "==", Fraction(8, 3), 1)
    yield Row(
        "star:5, k=3: best randomised", best_randomized(game).ratio or Fraction(0), "==", Fraction(11, 6), 1
    )
    for parents, k, given, claimed, best in LOSSES:
        game = Game.of(PrefixTree.from_parents(parents), k)
        written = f"parents {','.join(map(str, parents))}, k={k}"
        cycle = given or tuple(exact_ratio(game, RLT, budget=300).cycle or ())
        forced = in_the_long_run(game, cycle, size["rounds"])
        what = f"{written}: RLT/OPT in round {size['rounds']} of {','.join(map(str, cycle))}"
        yield Row(what, forced, ">=", claimed, 1)
        lru = exact_ratio(game, LeafLRU).ratio or Fraction(0)
        yield Row(f"{written}: leaf-LRU", lru, "==", 2, 1)
        found = best_randomized(game).ratio or Fraction(0)
        yield Row(f"{written}: best randomised", found, "==", best, 1)


THEOREM = Theorem(
    statement="Refuted: 'RLT is optimal among randomised algorithms' (star of 5, k = 3: 8/3 against 11/6), "
    "and 'RLT is never worse than leaf-LRU' (two trees of 6 nodes: at least 5/2 and 25/12 against 2, where "
    "3/2 is possible).",
    kind=Kind.REFUTED,
    covers=(9,),
    where="docs/theory/rlt.rst",
    sizes={"rounds": (20, 40, 100)},
    scope="all sequences on the star; {rounds} rounds of one cycle on each of the two trees",
    check=check,
)
