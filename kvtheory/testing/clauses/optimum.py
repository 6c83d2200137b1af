"""What is demanded of an implementation of OPT."""

from __future__ import annotations

import itertools

from kvtheory.errors import VerificationError
from kvtheory.offline.brute import brute
from kvtheory.offline.witness import check_schedule
from kvtheory.testing.instances import (
    Instance,
)
from kvtheory.testing.subject import Subject, expect


def optimal(subject: Subject, instance: Instance, seed: int) -> None:
    """OPT is brute force's optimum, with and without bypass; without a witness it is the same."""
    del seed
    for bypass in (False, True):
        schedule = subject.optimum(instance.trace, instance.capacity, bypass=bypass)
        least = brute(instance.tree, instance.requests, instance.capacity, bypass=bypass)
        misses = instance.misses(schedule.hit.tolist())
        expect(misses == least, f"OPT misses {misses}, brute force {least}, bypass {bypass}")


def witnessed(subject: Subject, instance: Instance, seed: int) -> None:
    """OPT's schedule, replayed by a checker that knows only the rules, misses what its hits say."""
    del seed
    for bypass in (False, True):
        schedule = subject.optimum(instance.trace, instance.capacity, bypass=bypass, witness=True)
        parent = (-1, *instance.parents)
        ends = schedule.offsets.tolist()
        expect(len(ends) == len(instance.requests) + 1 and ends[0] == 0, "one stretch of victims per request")
        steps = [schedule.victims[a:b].tolist() for a, b in itertools.pairwise(ends)]
        try:
            misses = check_schedule(parent, instance.requests, instance.capacity, steps, bypass=bypass)
        except VerificationError as error:
            raise AssertionError(f"the witness breaks a rule: {error}") from error
        told = instance.misses(schedule.hit.tolist())
        expect(misses == told, f"the witness misses {misses}, not {told}, bypass {bypass}")
