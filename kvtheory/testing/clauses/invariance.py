"""Restatements that change nothing, and randomness that is data: seeds and snapshots."""

from __future__ import annotations

from kvtheory.model import ROOT
from kvtheory.rng import SplitMix64
from kvtheory.testing.instances import (
    Instance,
    famous,
    linear_extension,
    star,
)
from kvtheory.testing.subject import Subject, expect


def relabelled(subject: Subject, instance: Instance, seed: int) -> None:
    """Nodes have no names: renumbering them, parents first, renames hits and victims and nothing else."""
    number = linear_extension(instance, SplitMix64(seed))
    hits, victims = subject.run(instance, seed)
    found = subject.run(instance.relabelled(number), seed)
    expected = [number[u] for u in hits], [[number[u] for u in some] for some in victims]
    expect(found == expected, f"numbered {number}: {found}, not {expected}")


def padded(subject: Subject, instance: Instance, seed: int) -> None:
    """Nodes that are never requested change nothing."""
    dice = SplitMix64(seed)
    n = len(instance.parents)
    extra = [dice.below(n + i + 1) for i in range(1 + dice.below(2 * n + 2))]
    found, expected = subject.run(instance.padded(extra), seed), subject.run(instance, seed)
    expect(found == expected, f"with unrequested nodes below {extra}: {found}, not {expected}")


def idle(subject: Subject, instance: Instance, seed: int) -> None:
    """Repeating the last request, or asking for nothing, costs nothing and evicts nothing."""
    engine = subject.start(instance, seed)
    engine.run(instance.requests)
    for v in (*instance.requests[-1:] * 3, ROOT, *instance.requests[-1:]):
        hit, victims = engine.serve(v)
        expect(hit == v and not victims, f"idle request {v}: hits {hit}, evicts {victims}")


def repeatable(subject: Subject, instance: Instance, seed: int) -> None:
    """The same seed gives the same run, bit for bit."""
    expect(subject.run(instance, seed) == subject.run(instance, seed), "two runs with one seed differ")


def seeds_differ(subject: Subject) -> None:
    """Different seeds give different runs somewhere."""
    cases = (*famous(), _nemesis(subject))
    differs = any(len({str(subject.run(instance, seed)) for seed in range(8)}) > 1 for instance in cases)
    expect(differs, "eight seeds, one run: this policy does not draw")


def _nemesis(subject: Subject, leaves: int = 7, length: int = 120) -> Instance:
    """A star, and always the first leaf that the subject does not hold, drawing from seed 0.

    Some policies draw only when they have lost too much otherwise.
    """
    engine = subject.start(Instance(star(leaves), leaves - 1, ()))
    requests = []
    for _ in range(length):
        requests.append(next(v for v in range(1, leaves + 1) if v not in engine.cached))
        engine.serve(requests[-1])
    return Instance(star(leaves), leaves - 1, tuple(requests))


def restorable(subject: Subject, instance: Instance, seed: int) -> None:
    """A snapshot holds everything the future depends on, and stays as it was."""
    half = len(instance.requests) // 2
    engine = subject.start(instance, seed)
    engine.run(instance.requests[:half])
    state = engine.snapshot()
    future = engine.run(instance.requests[half:])
    engine.restore(state)
    expect(engine.run(instance.requests[half:]) == future, "the future differs after restore")
    other = subject.start(instance, seed + 1)
    other.restore(state)
    expect(other.run(instance.requests[half:]) == future, "another engine, restored, has another future")
