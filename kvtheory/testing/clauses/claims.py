"""What is claimed: never better than OPT, never worse than a proved bound."""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

from kvtheory.object_policy import ObjectPolicy
from kvtheory.offline.brute import brute
from kvtheory.policy import Policy, Status
from kvtheory.testing.chances import (
    BELIEF_LIMIT,
    Belief,
    TooManyStates,
    advance,
    certain,
    expected_misses,
)
from kvtheory.testing.instances import (
    Instance,
    SmallOptimum,
    all_trees,
    famous,
    requestable,
)
from kvtheory.testing.subject import Subject, expect
from kvtheory.width import harmonic, width

OBJECT_LIMIT = 30
"""As `BELIEF_LIMIT`, of objects, which are slow to copy and remember in what order things came."""


def above_optimum(subject: Subject, instance: Instance, seed: int) -> None:
    """No policy misses less than OPT; no schedule of OPT misses less than brute force."""
    misses = instance.misses(subject.run(instance, seed)[0])
    least = instance.misses(subject.optimum(instance.trace, instance.capacity).hit.tolist())
    expect(misses >= least, f"{misses} misses, and OPT needs {least}")
    if len(instance.parents) <= 5 and len(instance.requests) <= 10:
        least = brute(instance.tree, instance.requests, instance.capacity)
        expect(misses >= least, f"{misses} misses, and brute force needs {least}")


def hold(subject: Subject, instance: Instance, seed: int) -> None:
    """Proved claims hold, additive constant 0: misses, or exact expected misses, against OPT."""
    del seed
    proved = _proved(subject.policy)
    if not proved:
        return
    least = instance.misses(subject.optimum(instance.trace, instance.capacity).hit.tolist())
    try:
        limit = OBJECT_LIMIT if issubclass(subject.policy, ObjectPolicy) else BELIEF_LIMIT
        cost = expected_misses(subject.start(instance), instance.requests, limit)
    except TooManyStates:
        return
    for claim in proved:
        bound = claim.value(width(instance.tree, instance.capacity))
        expect(cost <= bound * least, f"{cost} misses > {claim.formula} = {bound} times OPT = {least}")


def hold_everywhere(subject: Subject) -> None:
    """Proved claims hold on the theory's famous sequences and on every short sequence over every small tree.

    Nor may they be too good: every deterministic algorithm is at least (W-1)-competitive, every randomised
    one at least H_(W-1)-competitive.
    """
    policy = subject.policy
    proved = _proved(policy)
    if not proved:
        return
    for instance in famous():
        hold(subject, instance, 0)
    for n in range(1, 5):
        for parents, capacity in itertools.product(all_trees(n), range(1, max(2, n))):
            instance = Instance(parents, capacity, ())
            found = width(instance.tree, capacity)
            least = harmonic(found.W - 1) if policy.randomised() else Fraction(max(1, found.W - 1))
            for claim in proved:
                expect(claim.value(found) >= least, f"{claim.formula} beats the lower bound on {instance}")
            bound = min(Fraction(claim.value(found)) for claim in proved)
            if policy.randomised():
                if n <= 3:
                    _walk_beliefs(
                        subject, instance, bound, length=4 if issubclass(policy, ObjectPolicy) else 5
                    )
            else:
                _walk_sequences(subject, instance, bound, length=5 if n == 4 else 7)


def _proved(policy: type[Policy]) -> list[Any]:
    return [claim for claim in policy.claims if claim.status is Status.PROVED]


def _walk_sequences(subject: Subject, instance: Instance, bound: Fraction, length: int) -> None:
    optimum = SmallOptimum(instance.parents, instance.capacity)
    nodes = requestable(instance.parents, instance.capacity)
    depth = instance.depth
    for requests in itertools.product(nodes, repeat=length):
        engine = subject.start(instance)
        work, paid, least = optimum.start, 0, 0
        for v in requests:
            paid += depth[v] - depth[engine.serve(v)[0]]
            work, grown = optimum.step(work, v)
            least += grown
            if paid > bound * least:
                raise AssertionError(f"{paid} misses > {bound} times OPT = {least}: {instance}, {requests}")


def _walk_beliefs(subject: Subject, instance: Instance, bound: Fraction, length: int) -> None:
    optimum = SmallOptimum(instance.parents, instance.capacity)
    nodes = requestable(instance.parents, instance.capacity)
    engine = subject.start(instance)

    def walk(
        belief: Belief, work: tuple[int, ...], paid: Fraction, least: int, requests: tuple[int, ...]
    ) -> None:
        expect(paid <= bound * least, f"E = {paid} > {bound} times OPT = {least}: {instance}, {requests}")
        if len(requests) == length:
            return
        for v in nodes:
            after, misses = advance(engine, belief, v)
            further, grown = optimum.step(work, v)
            walk(after, further, paid + misses, least + grown, (*requests, v))

    walk(certain(engine), optimum.start, Fraction(0), 0, ())
