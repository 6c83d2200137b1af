"""Leaf-FIFO has the ratio of leaf-LRU, as far as it was computed."""

from __future__ import annotations

from collections.abc import Iterator

from kvtheory.policies.fifo import LeafFIFO
from kvtheory.ratio.game import exact_ratio
from kvtheory.width import width
from proofs_check.instances import games
from proofs_check.theorem import Kind, Row, Size, Theorem


def check(size: Size) -> Iterator[Row]:
    """The exact game on every small tree."""
    wrong, cases = 0, 0
    for game in games(size["nodes"]):
        wrong += exact_ratio(game, LeafFIFO).ratio != max(1, width(game.tree, game.capacity).W - 1)
        cases += 1
    what = f"all shapes of at most {size['nodes']} nodes, all capacities, all sequences"
    yield Row(f"{what}: exact ratio of leaf-FIFO is not max(1, W - 1)", wrong, "==", 0, cases)


THEOREM = Theorem(
    statement="Leaf-FIFO is exactly max(1, W - 1)-competitive. The lower bound is proved, as for every "
    "deterministic algorithm; that it is no worse is a conjecture.",
    kind=Kind.VERIFIED,
    covers=(5,),
    where="docs/theory/width.rst",
    sizes={"nodes": (5, 6, 7)},
    scope="all sequences on every tree of at most {nodes} nodes, every capacity",
    check=check,
)
