"""How many states the exact games on stars have: the adversary's search spaces, recounted."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from kvtheory.model import PrefixTree
from kvtheory.policies.fifo import LeafFIFO
from kvtheory.policies.lru import LeafLRU
from kvtheory.ratio.game import exact_ratio
from kvtheory.ratio.instance import Instance as Game
from kvtheory.ratio.work_function import work_functions
from kvtheory.testing.instances import star
from proofs_check.theorem import Kind, Row, Size, Theorem

COUNTS = {  # k: product states of leaf-LRU, of leaf-FIFO, work functions
    2: (16, 16, 10),
    3: (89, 257, 25),
    4: (566, 2_726, 56),
    5: (4_117, 33_637, 119),
    6: (33_860, 477_380, 246),
}


def check(size: Size) -> Iterator[Row]:
    """Stars with k + 1 leaves: concrete states before any symmetry is used, and the ratio."""
    for k in range(2, size["capacity"] + 1):
        game = Game.of(PrefixTree.from_parents(star(k + 1)), k)
        for policy, count in zip((LeafLRU, LeafFIFO), COUNTS[k], strict=False):
            found = exact_ratio(game, policy)
            yield Row(
                f"star:{k + 1}, k={k}: product states of {policy.name}", found.states or 0, "==", count, 1
            )
            yield Row(f"star:{k + 1}, k={k}: ratio of {policy.name}", found.ratio or Fraction(0), "==", k, 1)
        yield Row(f"star:{k + 1}, k={k}: work functions", len(work_functions(game)), "==", COUNTS[k][2], 1)


THEOREM = Theorem(
    statement="On the star with k + 1 leaves leaf-LRU and leaf-FIFO have ratio k; their products with OPT "
    "have 16, 89, 566, 4,117, 33,860 and 16, 257, 2,726, 33,637, 477,380 states, with 10, 25, 56, 119, 246 "
    "work functions.",
    kind=Kind.VERIFIED,
    covers=(5,),
    where="docs/theory/theorems.rst",
    sizes={"capacity": (3, 4, 5)},
    scope="every request sequence, k from 2 to {capacity}",
    check=check,
)
