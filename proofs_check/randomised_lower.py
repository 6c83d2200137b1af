"""No randomised online algorithm is better than H_(W-1), by random leaves of a widest set."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from kvtheory.ratio.instance import Instance as Game
from kvtheory.ratio.minimax_adversary import uniform
from kvtheory.ratio.work_function import work_functions
from kvtheory.width import harmonic, width
from proofs_check.deterministic_lower import widest_leaves
from proofs_check.instances import games
from proofs_check.theorem import Kind, Row, Size, Theorem


def holds_every_leaf(game: Game, leaves: list[int]) -> int:
    """Cache states that hold the paths of all the leaves: a random one of them would be a hit for sure."""
    union = 0
    for v in leaves:
        union |= game.paths[v]
    return sum(union & ~mask == 0 for mask in game.closed.tolist())


def phase_length(leaves: int) -> Fraction:
    """Expected requests until the last of `leaves` different ones would be asked for, uniformly at random.

    By dynamic programming over how many have been seen: from j of them the next is new with chance
    (leaves - j)/leaves. The request that would be the last one begins the next phase, as its first.
    """
    rest = Fraction(0)
    for seen in range(leaves - 1, 0, -1):
        chance = Fraction(leaves - seen, leaves)
        rest += 1 / chance
    return rest


def check(size: Size) -> Iterator[Row]:
    """Every wide game: what online algorithms pay, and what OPT pays, at random leaves of a widest set."""
    kept, wrong, cheap, cases = 0, 0, 0, 0
    for game in games(size["nodes"]):
        W = width(game.tree, game.capacity).W
        if W < 2:
            continue
        leaves = widest_leaves(game)
        kept += holds_every_leaf(game, leaves)
        works = work_functions(game)
        adversary = uniform(works, tuple(leaves))
        adversary.check(works)
        wrong += adversary.ratio != harmonic(W - 1) or adversary.gain != Fraction(1, W)
        cheap += adversary.opt != 1 / phase_length(W)
        cases += 1
    what = f"shapes of at most {size['nodes']} nodes"
    yield Row(f"{what}: caches that hold every leaf of the widest set", kept, "==", 0, cases)
    yield Row(f"{what}: gain is not 1/W, or gain/OPT not H_(W-1), with both proofs", wrong, "==", 0, cases)
    yield Row(f"{what}: OPT's expected cost is not 1 in a phase's expected length", cheap, "==", 0, cases)
    apart = sum(phase_length(W) != W * harmonic(W - 1) for W in range(2, size["W"] + 1))
    yield Row(f"W from 2 to {size['W']}: phase length is not W H_(W-1)", apart, "==", 0, size["W"] - 1)


THEOREM = Theorem(
    statement="Every randomised online algorithm is at least H_(W-1)-competitive: at uniformly random "
    "leaves of a widest closed set it misses with chance 1/W at least, and OPT pays 1 in W H_(W-1) requests "
    "(Yao).",
    kind=Kind.PROVED,
    covers=(6,),
    where="docs/theory/width.rst",
    sizes={"nodes": (5, 6, 7), "W": (40, 100, 300)},
    scope="every tree of at most {nodes} nodes, every capacity; the phase length for W up to {W}",
    check=check,
)
