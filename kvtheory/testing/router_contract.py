"""The contract of every router, as named checks; a router meets it by existing in the registry.

A plugin's own test-suite needs one line::

    def test_my_router():
        run_router_contract(MyRouter)

or, with one test per check, `@pytest.mark.parametrize("check", router_contract_of(MyRouter), ids=str)` and
`check.verify(RouterSubject(MyRouter))`. Checks run over a fixed corpus of clusters, then over clusters that
Hypothesis draws and shrinks; a failing check raises AssertionError or RouterError and notes the cluster.

What is checked is a :class:`~kvtheory.testing.router_subject.RouterSubject`: a router with the simulator
that it runs in. Only :mod:`kvtheory.testing.mutants.routers` changes the latter, to see the checks catch it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import settings

from kvtheory.engine.cluster import MakeRouter
from kvtheory.router import Router
from kvtheory.testing.clauses import routers
from kvtheory.testing.clusters import Case, cases, corpus
from kvtheory.testing.router_subject import RouterSubject
from kvtheory.testing.strategies import explore


@dataclass(frozen=True)
class Check:
    """One clause of the contract.

    Args:
        name: its name.
        about: what it demands, one line.
        each: raises where a cluster shows that a subject breaks the clause.
        once: the same for what is not about one cluster.
        applies: whether the clause speaks of a router.
        default: it speaks of default options alone.
    """

    name: str
    about: str
    each: Callable[[RouterSubject, Case], None] | None = None
    once: Callable[[RouterSubject], None] | None = None
    applies: Callable[[type[Router]], bool] = lambda router: True
    default: bool = False

    def __str__(self) -> str:
        return self.name

    def verify(self, subject: RouterSubject, *, examples: int | None = None, shrink: bool = True) -> None:
        """Hold a subject to this clause.

        Args:
            subject: what is checked.
            examples: how many clusters Hypothesis draws after the corpus; default, a fifth of the profile's.
            shrink: look for the smallest failing cluster.

        Raises:
            AssertionError: if the clause is broken; so does RouterError.
        """
        if self.once is not None:
            self.once(subject)
        if self.each is None:
            return
        for case in corpus():
            try:
                self.each(subject, case)
            except Exception as error:
                error.add_note(f"{subject.router.name}: '{self.name}' fails on {case}")
                raise
        if examples != 0:
            each, some = self.each, examples or max(1, settings().max_examples // 5)

            def holds(case: Case) -> None:
                each(subject, case)

            explore(holds, cases(), examples=some, shrink=shrink)


def router_contract_of(router: type[Router], *, default: bool = True) -> list[Check]:
    """The clauses that speak of a router; with other than default options, `default` is false."""
    return [check for check in CHECKS.values() if check.applies(router) and (default or not check.default)]


def run_router_contract(
    router: type[Router], make: MakeRouter | None = None, *, examples: int | None = None
) -> list[str]:
    """Hold a router to its whole contract; returns the names of the checks that it passed.

    Args:
        router: the router.
        make: makes it with other than its default options.
        examples: how many clusters Hypothesis draws for each check; default, a fifth of its profile's.

    Raises:
        AssertionError: if a clause is broken; RouterError if the router breaks a promise of its own.
    """
    subject = RouterSubject(router, make)
    passed = []
    for check in router_contract_of(router, default=make is None):
        check.verify(subject, examples=examples)
        passed.append(check.name)
    return passed


CHECKS = {
    check.name: check
    for check in (
        Check("declared", "name, docstring, options with defaults", once=routers.declared),
        Check("up", "chooses a worker that is up", routers.up),
        Check("repeatable", "the same cluster, the same decisions", routers.repeatable),
        Check("seedless", "the seed changes nothing", routers.seedless, applies=lambda r: not r.draws),
        Check("draws", "the seed can", once=routers.draws, applies=lambda r: r.draws, default=True),
        Check("blind", "the unseen changes nothing", routers.blind, applies=lambda r: not r.omniscient),
        Check("omniscient", "the truth can", once=routers.omniscient, applies=lambda r: r.omniscient),
        Check("relabelled", "numbers do not matter", routers.relabelled, applies=lambda r: not r.hashes),
        Check("hashes", "numbers can", once=routers.hashes, applies=lambda r: r.hashes, default=True),
        Check("padded", "unasked prompts do not matter", routers.padded),
        Check("served", "every request is served once, where it was sent", routers.served),
        Check("books", "nothing stays outstanding", routers.books),
        Check("queues", "in order, after arrival, for at least its cost", routers.queues),
    )
}
