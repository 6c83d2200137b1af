"""Every proved claim of every registered policy holds against its exact ratio."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from kvtheory.errors import InputError
from kvtheory.policy import Status
from kvtheory.ratio.game import play
from kvtheory.registry import policies
from kvtheory.width import width
from proofs_check.instances import games
from proofs_check.theorem import Kind, Note, Row, Size, Theorem


def check(size: Size) -> Iterator[Row | Note]:
    """Registry by registry: the exact game on every small tree against every claim."""
    for name, policy in sorted(policies().items()):
        proved = [claim for claim in policy.claims if claim.status is Status.PROVED]
        if not proved:
            continue
        excess, loose, cases, unsettled = Fraction(-size["nodes"] * 4), 0, 0, 0
        budget = size["budget"] if policy.randomised() else None
        unclaimed = type(policy.__name__, (policy,), {"claims": ()})  # whose bounds the game cannot lean on
        try:
            for game in games(size["nodes"]):
                found = play(game, unclaimed, budget=budget, convexity=False).result()
                widths = width(game.tree, game.capacity)
                for claim in proved:
                    value = Fraction(claim.value(widths))
                    excess = max(excess, (found.lower or value + 1) - value)
                    loose += claim.tight and found.ratio not in (None, value)
                unsettled += found.ratio is None
                cases += 1
        except InputError as error:
            yield Note(f"{name}: {error}")
            continue
        formulas = " and ".join(claim.formula for claim in proved)
        what = f"{name} on shapes of at most {size['nodes']} nodes"
        yield Row(f"{what}: largest exact ratio - ({formulas})", excess, "<=", 0, cases)
        if any(claim.tight for claim in proved):
            yield Row(f"{what}: ratios that a tight claim misses", loose, "==", 0, cases - unsettled)
        if unsettled:
            yield Note(
                f"{name}: {unsettled} of {cases} ratios are not settled in {budget:,} states: lower bounds"
            )


THEOREM = Theorem(
    statement="No registered policy exceeds a bound that it claims as proved, and each attains the bounds "
    "that it claims as tight: leaf-LRU, marking, RLT, and the policies of dependency-aware caching carried "
    "to trees. Claims are on the "
    "pages of docs/generated/policies, exact ratios in the atlas.",
    kind=Kind.PROVED,
    covers=(4, 5, 7, 11),
    where="docs/theory/atlas.rst",
    sizes={"nodes": (4, 5, 5), "budget": (100, 300, 20_000)},
    scope="all sequences on every tree of at most {nodes} nodes; at most {budget} distributions each",
    check=check,
)
