"""Every registered router, with its defaults and with its options, is held to the whole contract."""

from __future__ import annotations

import pytest

from kvtheory.errors import RouterError
from kvtheory.registry import parse_router, routers
from kvtheory.routers.round_robin import RoundRobin
from kvtheory.testing.mutants.routers import MUTANTS, Mutant
from kvtheory.testing.router_contract import CHECKS, Check, router_contract_of, run_router_contract
from kvtheory.testing.router_subject import RouterSubject

VARIANTS = [
    "lbgr:features=all:index=believed",
    "lbgr:affinity=off:decay=off",
    "lbgr:load=off:residual=off",
    "dynamo:temperature=0.7:weight=2:index=seen",
    "hash_bounded:key=session:bound=1:points=3",
    "hash_bounded:prefix=3",
    "skylb:by=hash:pending=2",
    "p2c:choices=4",
    "preble:window=9:imbalance=1",
    "cache_aware:absolute=1:threshold=0",
]
CASES = [
    pytest.param(RouterSubject(router), check, id=f"{router.name}-{check}")
    for router in routers().values()
    for check in router_contract_of(router)
] + [
    pytest.param(RouterSubject(router, make), check, id=f"{label}-{check}")
    for label, make, router in map(parse_router, VARIANTS)
    for check in router_contract_of(router, default=False)
]


@pytest.mark.parametrize(("subject", "check"), CASES)
def test_contract(subject: RouterSubject, check: Check) -> None:
    check.verify(subject)


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_mutant_is_caught(mutant: Mutant) -> None:
    check = {str(check): check for check in router_contract_of(mutant.subject.router)}[mutant.caught_by]
    with pytest.raises((AssertionError, RouterError)):
        check.verify(mutant.subject, shrink=False)


def test_every_check_catches_something() -> None:
    assert {mutant.caught_by for mutant in MUTANTS.values()} == set(CHECKS)


def test_a_plugin_needs_one_line() -> None:
    passed = run_router_contract(RoundRobin, examples=1)
    assert passed == [check.name for check in router_contract_of(RoundRobin)]
    assert "blind" in passed
    assert "draws" not in passed
