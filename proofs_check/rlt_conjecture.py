"""RLT exceeds 2 H_w - 1, which is its exact ratio for paging: the smallest trees do not show it."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from kvtheory.model import PrefixTree
from kvtheory.policies.rlt import RLT
from kvtheory.ratio.game import exact_ratio
from kvtheory.ratio.instance import Instance as Game
from kvtheory.testing.instances import spider
from kvtheory.width import harmonic, width
from proofs_check.instances import games
from proofs_check.rlt_not_optimal import in_the_long_run
from proofs_check.theorem import Kind, Note, Row, Size, Theorem

CHAINS, CAPACITY, CYCLE = spider(4, 2), 6, (8, 5, 2, 6, 8, 3, 6, 4, 8, 1, 4, 2)


def check(size: Size) -> Iterator[Row | Note]:
    """A cycle on four chains of two nodes, by leaf deletions; the exact game of every small tree."""
    game = Game.of(PrefixTree.from_parents(CHAINS), CAPACITY)
    bound = 2 * harmonic(width(game.tree, CAPACITY).w) - 1
    forced = in_the_long_run(game, CYCLE, size["rounds"])
    written = f"parents {','.join(map(str, CHAINS))}, k={CAPACITY}"
    yield Row(f"{written}: 2 H_w - 1", bound, "==", Fraction(19, 6), 1)
    what = f"{written}: RLT/OPT in round {size['rounds']} of {','.join(map(str, CYCLE))}"
    yield Row(what, forced, "==", Fraction(10, 3), 1)
    yield Row(f"{written}: RLT/OPT - (2 H_w - 1)", forced - bound, ">=", Fraction(1, 6), 1)
    excess, cases, unsettled = Fraction(-size["nodes"]), 0, 0
    for small in games(size["nodes"], least=2):
        found = exact_ratio(small, RLT, budget=size["budget"])
        bound = 2 * harmonic(width(small.tree, small.capacity).w) - 1
        unsettled += found.ratio is None
        excess = max(excess, (found.lower or Fraction(small.tree.n)) - max(Fraction(1), bound))
        cases += 1
    what = f"shapes of at most {size['nodes']} nodes, k >= 2: largest RLT/OPT - max(1, 2 H_w - 1)"
    yield Row(what, excess, "<=", 0, cases)
    if unsettled:
        yield Note(
            f"{unsettled} of these ratios are not settled within {size['budget']:,} states: lower bounds"
        )


THEOREM = Theorem(
    statement="Refuted: 'RLT is (2 H_w - 1)-competitive', as for paging. On four chains of two nodes with "
    "k = 6 a cycle costs it 10/3 of OPT in the long run, where 2 H_w - 1 is 19/6. On the smallest trees the "
    "bound holds.",
    kind=Kind.REFUTED,
    covers=(7,),
    where="docs/theory/rlt.rst",
    sizes={"nodes": (5, 5, 6), "budget": (3000, 20_000, 20_000), "rounds": (6, 12, 40)},
    scope="{rounds} rounds of one cycle; all sequences on every tree of at most {nodes} nodes, k >= 2, to "
    "{budget} distributions each",
    check=check,
)
