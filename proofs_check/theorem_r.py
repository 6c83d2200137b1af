"""Theorem R: what replaces W - 1 and H_(W-1) where only the nodes of R are requested."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from kvtheory.policies.lru import LeafLRU
from kvtheory.ratio.game import exact_ratio
from kvtheory.ratio.instance import Instance as Game
from kvtheory.ratio.minimax import best_deterministic, best_randomized
from kvtheory.requestable_games import all_games, granular, granular_bound, kernel
from kvtheory.width import harmonic, width
from proofs_check.requestable import restricted_widths
from proofs_check.theorem import Kind, Note, Row, Size, Theorem

NONE = Fraction(-99)


def legs(game: Game) -> tuple[int, int] | None:
    """Leaves m and excess g of the whole tree if it just overflows: if every tail has at least g nodes."""
    children = [0] * (game.tree.n + 1)
    for v in game.used:
        children[game.parents[v]] += 1
    excess = len(game.used) - game.capacity
    leaves = [v for v in game.used if not children[v]]
    for leaf in leaves:
        v, tail = game.parents[leaf], 1
        while v and children[v] == 1 and v not in game.requestable:
            v, tail = game.parents[v], tail + 1
        if tail < excess:
            return None
    return len(leaves), excess


def held(game: Game) -> int:
    """w_R(k - 1): the most leaves of a generated set of at most k - 1 nodes, over all generated sets."""
    generated = {0}
    for v in game.requestable:
        generated |= {mask | game.paths[v] for mask in generated}
    most = 0
    for mask in generated:
        if mask.bit_count() < game.capacity:
            inner = {game.parents[v] for v in game.nodes(mask)}
            most = max(most, sum(v not in inner for v in game.nodes(mask)))
    return most


def check(size: Size) -> Iterator[Row | Note]:
    """All four points and the kernel, against exact games; unequal where an unsettled ratio cannot say."""
    low: int | Fraction = NONE
    drawn: int | Fraction = NONE
    over: int | Fraction = NONE
    wrong = wrong_drawn = changed = changed_drawn = 0
    cases = full = solved = full_drawn = unsettled = 0
    for n in range(2, size["nodes"] + 1):
        for game in all_games(n):
            core, whole, w_r = kernel(game), legs(game), restricted_widths(game)[1]
            best = best_deterministic(game).ratio
            low = max(low, max(granular_bound(game), harmonic(max(1, w_r - 1))) - (best or 0))
            changed += best is None or best_deterministic(core).ratio != best
            cap = max(1, min(width(game.tree, game.capacity).W - 1, 1 + held(game)))
            lru = exact_ratio(game, LeafLRU).ratio
            over = max(over, (cap + 1 if lru is None else lru) - cap)
            cases += 1
            if whole:
                wrong += best != max(Fraction(1), granular(whole[0] - 1, whole[1]))
                full += 1
            if n > size["drawn"]:
                continue
            least, least_core = best_randomized(game), best_randomized(core)
            drawn = max(drawn, harmonic(max(1, w_r - 1)) - least.lower)
            solved += 1
            if least.ratio is None or least_core.ratio is None:
                unsettled += 1
            else:
                changed_drawn += least.ratio != least_core.ratio
            if whole:
                wrong_drawn += least.ratio != harmonic(max(1, whole[0] - 1))
                full_drawn += 1
    what = f"all trees of at most {size['nodes']} nodes, all R"
    yield Row(f"{what}: largest granular bound - best deterministic", low, "<=", 0, cases)
    yield Row(f"{what}, T_R just overflows: best deterministic other than H(m-1, g)", wrong, "==", 0, full)
    yield Row(f"{what}: largest leaf-LRU - max(1, min(W - 1, 1 + w_R(k-1)))", over, "<=", 0, cases)
    yield Row(f"{what}: kernels with another best deterministic ratio", changed, "==", 0, cases)
    what = f"all trees of at most {size['drawn']} nodes, all R"
    yield Row(f"{what}: largest H_(W_R - 1) - best randomised", drawn, "<=", 0, solved)
    yield Row(
        f"{what}, T_R just overflows: best randomised other than H_(m-1)", wrong_drawn, "==", 0, full_drawn
    )
    yield Row(
        f"{what}: kernels with another best randomised ratio", changed_drawn, "==", 0, solved - unsettled
    )
    if unsettled:
        yield Note(f"{unsettled} best randomised ratios are not settled: not compared with their kernel's")


THEOREM = Theorem(
    statement="Theorem R. Where only the nodes of R are requested and T_R overflows, every deterministic "
    "algorithm is at least H(m-1, g)-competitive for every set of k + g nodes and m leaves that just "
    "overflows, and every randomised one at least H_(W_R - 1). Both are exact if T_R itself just overflows. "
    "Leaf-LRU is at most max(1, min(W - 1, 1 + w_R(k-1))). The kernel of a game has the same best ratios.",
    kind=Kind.PROVED,
    covers=(4, 6),
    where="docs/theory/requestable.rst",
    sizes={"nodes": (4, 5, 6), "drawn": (4, 5, 6)},
    scope="all sequences; every tree of at most {nodes} nodes and every R that reaches all of it; randomised "
    "to {drawn} nodes",
    check=check,
)
