"""The contract of every policy, as named checks; a policy meets it by existing in the registry.

A plugin's own test-suite needs one line::

    def test_my_policy():
        run_contract(MyPolicy)

or, with one test per check, `@pytest.mark.parametrize("check", contract_of(MyPolicy), ids=str)` and
`check.verify(Subject(MyPolicy))`. The clauses are in `kvtheory/testing/clauses`. Every check first runs over
a fixed corpus, then over instances that Hypothesis draws and shrinks. A failing check raises AssertionError
or PolicyError and notes the instance.

What is checked is a :class:`~kvtheory.testing.subject.Subject`: a policy with the engine, the kernel and the
optimum it is held against. Only :mod:`kvtheory.testing.mutants` changes the latter three, to see the checks
catch it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from kvtheory.object_policy import AnyPolicy, ObjectPolicy
from kvtheory.testing.clauses import claims, compiled, declarations, invariance, meaning, objects, optimum
from kvtheory.testing.instances import Instance, corpus
from kvtheory.testing.strategies import explore, instances, seeds
from kvtheory.testing.subject import Each, Subject


@dataclass(frozen=True)
class Check:
    """One clause of the contract.

    Args:
        name: its name.
        about: what it demands, one line.
        each: raises where an instance and a seed show that a subject breaks the clause.
        once: the same for what is not about one instance.
        tiny: `each` needs instances small enough to enumerate every draw.
        randomised: it speaks of policies that draw alone.
        columns: it speaks of policies written as columns.
        objects: it speaks of policies that are objects.
    """

    name: str
    about: str
    each: Each | None = None
    once: Callable[[Subject], None] | None = None
    tiny: bool = False
    randomised: bool = False
    columns: bool = True
    objects: bool = False

    def __str__(self) -> str:
        return self.name

    def applies_to(self, policy: AnyPolicy) -> bool:
        """Whether the clause speaks of this policy at all."""
        kind = self.objects if issubclass(policy, ObjectPolicy) else self.columns
        return kind and (policy.randomised() or not self.randomised)

    def verify(self, subject: Subject, *, examples: int | None = None, shrink: bool = True) -> None:
        """Hold a subject to this clause.

        Args:
            subject: what is checked.
            examples: how many instances Hypothesis draws after the corpus; default, the profile's.
            shrink: look for the smallest failing instance.

        Raises:
            AssertionError: if the clause is broken; so does PolicyError.
        """
        if self.once is not None:
            self.once(subject)
        if self.each is None:
            return
        for seed, instance in enumerate(corpus(tiny=self.tiny)):
            try:
                self.each(subject, instance, seed)
            except Exception as error:
                error.add_note(f"{subject.policy.name}: '{self.name}' fails on {instance}, seed {seed}")
                raise
        if examples != 0:
            each, space = self.each, instances(max_nodes=5, max_requests=7) if self.tiny else instances()

            def holds(instance: Instance, seed: int) -> None:
                each(subject, instance, seed)

            explore(holds, space, seeds(), examples=examples, shrink=shrink)


def contract_of(policy: AnyPolicy) -> list[Check]:
    """The clauses that speak of a policy."""
    return [check for check in CHECKS.values() if check.applies_to(policy)]


def run_contract(policy: AnyPolicy, *, examples: int | None = None) -> list[str]:
    """Hold a policy to its whole contract; returns the names of the checks that it passed.

    Args:
        policy: the policy.
        examples: how many instances Hypothesis draws for each check; default, its profile's.

    Raises:
        AssertionError: if a clause is broken; PolicyError if the policy breaks a promise of its own.
    """
    subject = Subject(policy)
    passed = []
    for check in contract_of(policy):
        check.verify(subject, examples=examples)
        passed.append(check.name)
    return passed


def _by_name(*checks: Check) -> dict[str, Check]:
    return {check.name: check for check in checks}


def _summary(function: Callable[..., None]) -> str:
    return (function.__doc__ or "").strip().splitlines()[0]


def _each(name: str, each: Each, **kinds: Any) -> Check:
    return Check(name, _summary(each), each=each, **kinds)


def _once(name: str, once: Callable[[Subject], None], **kinds: Any) -> Check:
    return Check(name, _summary(once), once=once, **kinds)


CHECKS: dict[str, Check] = _by_name(
    _once("declared", declarations.declared),
    _once("named", declarations.named, columns=False, objects=True),
    _each("traits", declarations.traits),
    _each("columns", declarations.columns),
    _each("legal", meaning.legal, objects=True),
    _each("choice", meaning.choice),
    _each("asked", objects.asked, columns=False, objects=True),
    _each("informed", objects.informed, columns=False, objects=True),
    _each("phases", meaning.phases),
    _each("draws", meaning.draws, once=meaning.fair_generator, tiny=True, randomised=True),
    _each("kernel", compiled.same_as_kernel, objects=True),
    _each("weaker", compiled.same_under_weaker_traits),
    _each("chances", compiled.same_chances, tiny=True, randomised=True),
    _each("relabel", invariance.relabelled, objects=True),
    _each("pad", invariance.padded, objects=True),
    _each("idle", invariance.idle, objects=True),
    _each("repeat", invariance.repeatable, objects=True),
    _once("seeds", invariance.seeds_differ, randomised=True, objects=True),
    _each("snapshot", invariance.restorable, objects=True),
    _each("remembers", objects.remembers, columns=False, objects=True),
    _each("optimum", claims.above_optimum, objects=True),
    _each("claims", claims.hold, once=claims.hold_everywhere, tiny=True, objects=True),
)
"""The clauses of every policy, by name."""

OPTIMUM_CHECKS: dict[str, Check] = _by_name(
    _each("optimal", optimum.optimal, tiny=True),
    _each("witness", optimum.witnessed),
)
"""What is demanded of an implementation of OPT, by name."""


@cache
def every_check() -> dict[str, Check]:
    """Clauses of policies and of OPT together."""
    return {**CHECKS, **OPTIMUM_CHECKS}
