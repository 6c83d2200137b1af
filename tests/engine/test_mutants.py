"""The suite is tested on liars: each is caught by the check that is named for it."""

from __future__ import annotations

import pytest

from kvtheory.errors import PolicyError
from kvtheory.policies.lru import LeafLRU
from kvtheory.testing.contract import OPTIMUM_CHECKS, every_check
from kvtheory.testing.mutants import MUTANTS
from kvtheory.testing.mutants.optima import plain_belady
from kvtheory.testing.subject import Mutant, Subject


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_mutant_is_caught(mutant: Mutant) -> None:
    check = every_check()[mutant.caught_by]
    with pytest.raises((AssertionError, PolicyError)):
        check.verify(mutant.subject, shrink=False)


def test_every_check_catches_something() -> None:
    assert {mutant.caught_by for mutant in MUTANTS.values()} == set(every_check())


@pytest.mark.parametrize("check", OPTIMUM_CHECKS.values(), ids=OPTIMUM_CHECKS)
def test_the_unbroken_plain_belady_passes(check: object) -> None:
    check.verify(Subject(LeafLRU, optimum=plain_belady))  # type: ignore[attr-defined]
