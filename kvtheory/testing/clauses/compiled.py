"""The kernel agrees with the reference engine, under every set of traits it can be built from."""

from __future__ import annotations

from dataclasses import replace

from kvtheory.policy import Policy, Trait
from kvtheory.testing.chances import (
    TooManyStates,
    expected_misses,
)
from kvtheory.testing.instances import (
    Instance,
)
from kvtheory.testing.subject import Subject, expect, without


def same_as_kernel(subject: Subject, instance: Instance, seed: int) -> None:
    """The kernel agrees with the reference engine, hit for hit and victim for victim."""
    _agree(subject, subject.policy, subject.policy.traits, instance, seed)


def weaker_traits(policy: type[Policy]) -> list[Trait]:
    """Fewer traits to build a kernel from: without RECENCY, without RECENCY and TOUCH; without BINARY."""
    dropped = (Trait.RECENCY, Trait.RECENCY | Trait.TOUCH, Trait.BINARY)
    found = [policy.traits & ~some for some in dropped]
    return [kept for i, kept in enumerate(found) if kept != policy.traits and kept not in found[:i]]


def same_under_weaker_traits(subject: Subject, instance: Instance, seed: int) -> None:
    """A kernel built from fewer traits agrees too: no trait was needed, and none was false."""
    policy = subject.policy
    for kept in weaker_traits(policy):
        # without BINARY, candidates of weight 0 are listed as well, and other draws mean other victims
        judge = without(policy, Trait.BINARY) if policy.randomised() else policy
        _agree(subject, judge, kept, instance, seed)


def _agree(subject: Subject, judge: type[Policy], kept: Trait, instance: Instance, seed: int) -> None:
    hits, victims = replace(subject, policy=judge).run(instance, seed)
    evicted = [u for some in victims for u in some]
    trace = subject.trace(instance)
    logged = subject.replay(trace, instance.capacity, judge, seed, victims=True, traits=kept)
    expect(logged.hit.tolist() == hits, f"{kept}: the kernel hits {logged.hit.tolist()}, not {hits}")
    found = logged.victims.tolist()
    expect(found == evicted, f"{kept}: the kernel evicts {found}, not {evicted}")
    silent = subject.replay(trace, instance.capacity, judge, seed, traits=kept)
    expect(silent.hit.tolist() == hits, f"{kept}: the kernel decides otherwise when nobody asks for victims")
    expect(silent.evictions == logged.evictions == len(evicted), f"{kept}: evictions are miscounted")


def same_chances(subject: Subject, instance: Instance, seed: int) -> None:
    """BINARY is a structure, not a distribution: expected misses are the same without it."""
    del seed
    if Trait.BINARY not in subject.policy.traits:
        return
    plain = Subject(without(subject.policy, Trait.BINARY), subject.engine)
    try:
        mine = expected_misses(subject.start(instance), instance.requests)
        other = expected_misses(plain.start(instance), instance.requests)
    except TooManyStates:
        return
    expect(mine == other, f"expected misses are {mine} with BINARY, {other} without")
