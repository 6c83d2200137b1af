"""The interval program has an integral optimum where costs do not grow with depth."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from kvtheory.offline.brute import brute
from kvtheory.offline.flow import solve_flow
from kvtheory.rng import SplitMix64
from proofs_check.instances import random_instances
from proofs_check.theorem import Kind, Row, Size, Theorem


def check(size: Size) -> Iterator[Row]:
    """The bound that the relaxation's dual proves, the closed schedule, and dynamic programming meet."""
    for name in ("unit costs", "random costs that do not grow with depth"):
        gap, wrong, cases = Fraction(0), 0, 0
        for seed, instance in enumerate(random_instances(14_000, size["drawn"], nodes=6, length=12)):
            dice, cost = SplitMix64(seed), [0]
            for parent in instance.parents:
                most = 9 if parent == 0 else cost[parent]
                cost.append(1 if name == "unit costs" else 1 + dice.below(most))
            found = solve_flow(instance.trace, instance.capacity, cost=cost)
            best = brute(instance.tree, instance.requests, instance.capacity, cost=cost)
            gap = max(gap, best - Fraction(found.lower_bound))
            wrong += found.value != best
            cases += 1
        yield Row(f"{name}: largest OPT - LP", gap, "==", 0, cases)
        yield Row(f"{name}: schedules made from the flow that are not optimal", wrong, "==", 0, cases)


THEOREM = Theorem(
    statement="For unit costs, and for costs that do not grow with depth, the interval program is a flow "
    "with an integral optimum, and closure is free: the optimum is found in polynomial time.",
    kind=Kind.PROVED,
    covers=(3,),
    where="docs/theory/formulations.rst",
    sizes={"drawn": (40, 400, 2000)},
    scope="{drawn} random instances of 6 nodes and 12 requests for each kind of cost",
    check=check,
)
