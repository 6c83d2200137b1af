"""Phases from their definition, and what a marking policy pays in each, by taking every draw in turn."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from kvtheory.engine.object_reference import reference_engine
from kvtheory.engine.reference import ReferenceEngine
from kvtheory.object_policy import AnyPolicy
from kvtheory.policies.rlt import RLT
from kvtheory.testing.chances import Belief, advance, certain
from kvtheory.testing.instances import Instance, Parents
from kvtheory.width import harmonic


def phases(instance: Instance) -> list[list[int]]:
    """The requests phase by phase, from the definition."""
    done: list[list[int]] = []
    marked: set[int] = set()
    for v in instance.requests:
        path = set(instance.path(v))
        if not done or len(marked | path) > instance.capacity:
            done.append([])
            marked = set()
        marked |= path
        done[-1].append(v)
    return done


def requested(instance: Instance, requests: list[int]) -> set[int]:
    """The nodes on the paths of some requests."""
    return {u for v in requests for u in instance.path(v)}


def leaves(cached: set[int], parents: Parents) -> int:
    """Leaves of a closed set."""
    return len(cached - {parents[u - 1] for u in cached})


def account(
    instance: Instance, policy: AnyPolicy = RLT, bound: Callable[[int], Fraction] = harmonic
) -> tuple[Fraction, Fraction, Fraction]:
    """Exact E[misses], E[sum of c_i], and the largest E[misses in a phase | S_i] - c_i bound(leaves(S_i))."""
    kind: Any = reference_engine(policy)
    engine: ReferenceEngine = kind(instance.tree, instance.capacity, policy)
    belief: Belief = certain(engine)
    total, clean, excess = Fraction(0), Fraction(0), Fraction(-1)
    for requests in phases(instance):
        nodes = requested(instance, requests)
        after: Belief = {}
        for chance, state in belief.values():
            engine.restore(state)
            c, width_now = len(nodes - engine.cached), leaves(engine.cached, instance.parents)
            branch, spent = {None: (Fraction(1), state)}, Fraction(0)
            for v in requests:
                branch, paid = advance(engine, branch, v)
                spent += paid
            excess = max(excess, spent - c * bound(max(1, width_now)))
            total, clean = total + chance * spent, clean + chance * c
            for key, (share, reached) in branch.items():
                before = after[key][0] if key in after else Fraction(0)
                after[key] = before + chance * share, reached
        belief = after
    return total, clean, excess
