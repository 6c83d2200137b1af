"""The contract of every router, as named checks; a router meets it by existing in the registry.

A plugin's own test-suite needs one line::

    def test_my_router():
        run_router_contract(MyRouter)

or, with one test per check, `@pytest.mark.parametrize("check", router_contract_of(MyRouter), ids=str)` and
`check.verify(RouterSubject(MyRouter))`. Checks run over a fixed corpus of clusters, then over clusters that
Hypothesis draws and shrinks; a failing check raises AssertionError or RouterError and notes the cluster.

What is checked is a :class:`~kvtheory.testing.router_contract.RouterSubject`: a router with the simulator
that it runs in. Only :mod:`kvtheory.testing.router_mutants` changes the latter, to see the checks catch it.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal, get_origin

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings

from kvtheory.engine.arrivals import sessions
from kvtheory.engine.cluster import ClusterRun, MakeRouter, simulate
from kvtheory.engine.workers import Agenda, FifoWorkers, Job, Rates
from kvtheory.errors import RouterError
from kvtheory.model import CostModel
from kvtheory.policies.lru import LeafLRU
from kvtheory.policies.rlt import RLT
from kvtheory.policy import Policy
from kvtheory.registry import router_options
from kvtheory.rng import SplitMix64
from kvtheory.router import Arrival, Completion, Router, View
from kvtheory.testing.clusters import Case, cases, corpus
from kvtheory.testing.contract import expect
from kvtheory.testing.instances import linear_extension

Decisions = list[tuple[int, int]]


@dataclass(frozen=True)
class RouterSubject:
    """What is held to the contract.

    Args:
        router: the router.
        make: makes it of a view; default, with its default options.
        simulate: what it runs in, as :func:`kvtheory.engine.cluster.simulate`.
    """

    router: type[Router]
    make: MakeRouter | None = None
    simulate: Callable[..., ClusterRun] = simulate

    def run(self, case: Case, **changed: Any) -> tuple[ClusterRun, Witness]:
        """Simulate a cluster under a witness; `changed` are fields of the case."""
        case = replace(case, **changed)
        seen: list[Witness] = []

        def witness(view: View) -> Router:
            seen.append(Witness(view, (self.make or self.router)(view)))
            return seen[0]

        found = self.simulate(
            case.trace,
            case.workers,
            case.instance.capacity,
            LeafLRU,
            witness,
            costs=case.costs,
            arrivals=case.arrivals,
            incidents=case.incidents,
            seed=case.seed,
        )
        return found, seen[0]

    def decisions(self, case: Case, **changed: Any) -> Decisions:
        """Who was sent where, in order."""
        return self.run(case, **changed)[1].sent


class Witness(Router):
    """Passes everything on to a router, writes it down, and minds that its choices can be followed.

    Attributes:
        sent: (request, worker), in order.
        finished: requests, in order of their completions.
    """

    name = "witness"

    def __init__(self, view: View, router: Router) -> None:
        super().__init__(view)
        self.router = router
        self.omniscient, self.watches_first_tokens = router.omniscient, router.watches_first_tokens  # type: ignore[misc]
        self.sent: Decisions = []
        self.finished: list[int] = []

    def choose(self, arrival: Arrival) -> int:
        up = self.view.up.copy()
        worker = self.router.choose(arrival)
        expect(isinstance(worker, int), f"a worker is an int, not {type(worker).__name__}")
        expect(0 <= worker < up.size and bool(up[worker]), f"worker {worker} is not up")
        expect(bool((up == self.view.up).all()), "a router does not say who is up")
        return worker

    def on_dispatch(self, arrival: Arrival, worker: int) -> None:
        self.sent.append((arrival.request, worker))
        self.router.on_dispatch(arrival, worker)

    def on_first_token(self, request: int, worker: int, now: float) -> None:
        self.router.on_first_token(request, worker, now)

    def on_finish(self, done: Completion) -> None:
        self.finished.append(done.request)
        self.router.on_finish(done)
        expect(bool((self.router.outstanding >= 0).all()), "fewer than no requests are outstanding")

    def on_down(self, worker: int, lost: list[int], now: float) -> None:
        self.router.on_down(worker, lost, now)

    def on_up(self, worker: int, now: float) -> None:
        self.router.on_up(worker, now)


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
            self._explore(subject, examples, shrink)

    def _explore(self, subject: RouterSubject, examples: int | None, shrink: bool) -> None:
        each = self.each
        assert each is not None

        @settings(
            max_examples=examples or max(1, settings().max_examples // 5),
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, Phase.shrink] if shrink else [Phase.generate],
            database=None,
        )
        @given(cases())
        def holds(case: Case) -> None:
            each(subject, case)

        holds()


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


# --- what a router declares -----------------------------------------------------------------------------


def declared(subject: RouterSubject) -> None:
    """It has a name, a docstring, and options of known types with defaults."""
    router = subject.router
    expect(router.name.isidentifier() and router.name == router.name.lower(), f"'{router.name}' is no name")
    expect(len(router.summary()) > 1, f"{router.name}: a router's docstring is its page")
    for option in router_options(router):
        expect(option.default is not inspect.Parameter.empty, f"option '{option.name}' has no default")
        known = option.kind in (bool, int, float, str) or get_origin(option.kind) is Literal
        expect(known, f"option '{option.name}' is of no type that a command line has")


def repeatable(subject: RouterSubject, case: Case) -> None:
    """The same cluster and seed, the same decisions."""
    expect(subject.decisions(case) == subject.decisions(case), "decisions do not repeat")


def seedless(subject: RouterSubject, case: Case) -> None:
    """The seed changes nothing."""
    expect(subject.decisions(case) == subject.decisions(case, seed=case.seed + 1), "the seed matters")


def draws(subject: RouterSubject) -> None:
    """The seed can change a decision."""
    found = any(
        subject.decisions(case) != subject.decisions(case, seed=seed) for case in corpus() for seed in (7, 8)
    )
    expect(found, f"{subject.router.name} is said to draw, but no seed changes a decision")


# --- what a router sees ---------------------------------------------------------------------------------


class Guarded(View):
    """A view that holds the truth and tells it to none but the omniscient."""

    omniscient = False

    def true(self) -> Any:
        if not self.omniscient:
            raise RouterError("the true state of the workers is for omniscient routers alone")
        return super().true()


World = tuple[type[Policy], int, CostModel]
"""Policy, room beyond the capacity that the router is told, and true costs."""

WORLDS: tuple[World, ...] = (
    (LeafLRU, 0, CostModel(0, 1)),
    (RLT, 3, CostModel(5, 7, 2, attention=1)),
    (RLT, 100, CostModel(1, 1, 9)),
)


def told_the_same(subject: RouterSubject, case: Case, world: World) -> Decisions:
    """Decisions where all requests arrive at 0 and what the router is told does not depend on the world."""
    policy, more, costs = world
    trace, capacity = case.trace, case.instance.capacity
    served, _ = trace.cut(capacity)
    above = trace.tree.depth.astype(np.int64)
    job = Job(
        served,
        above,
        above[trace.requests],
        np.asarray(trace.columns["output_length"], np.int64),
        Rates.of(costs),
        np.zeros(len(trace)),
    )
    view = Guarded(trace.tree, case.workers, capacity, above, case.costs, 1.0, case.seed)
    router = (subject.make or subject.router)(view)
    view.omniscient = router.omniscient
    view.truth = fleet = FifoWorkers(job, case.workers, capacity + more, policy, Agenda())
    decisions = []
    for request, (node, session) in enumerate(
        zip(served.requests.tolist(), sessions(trace).tolist(), strict=True)
    ):
        arrival = Arrival(request, node, int(job.length[request]), session, 0.0)
        worker = router.choose(arrival)
        fleet.send(worker, request, 0.0)
        router.on_dispatch(arrival, worker)
        decisions.append((request, worker))
    return decisions


def blind(subject: RouterSubject, case: Case) -> None:
    """What it cannot see changes nothing: true caches, eviction, capacities and costs; nor may it ask."""
    first, *others = (told_the_same(subject, case, world) for world in WORLDS)
    expect(all(other == first for other in others), "the true state of the workers matters")
    _, witness = subject.run(case)
    try:
        witness.view.true()
    except RouterError:
        return
    raise AssertionError("the simulator tells a blind router the truth")


def omniscient(subject: RouterSubject) -> None:
    """The true state of the workers can change a decision."""
    found = any(
        told_the_same(subject, case, world) != told_the_same(subject, case, WORLDS[0])
        for case in corpus()
        for world in WORLDS[1:]
    )
    expect(found, f"{subject.router.name} is said to be omniscient, but the truth changes no decision")


def relabelled(subject: RouterSubject, case: Case) -> None:
    """Other numbers for the same prompts, the same decisions."""
    number = linear_extension(case.instance, SplitMix64(case.seed % 1000))
    changed = subject.decisions(case, instance=case.instance.relabelled(number))
    expect(subject.decisions(case) == changed, "the numbers of nodes matter")


def hashes(subject: RouterSubject) -> None:
    """Other numbers for the same prompts can change a decision."""
    try:
        for case in corpus():
            relabelled(subject, case)
    except AssertionError:
        return
    raise AssertionError(f"{subject.router.name} is said to hash, but no numbering changes a decision")


def padded(subject: RouterSubject, case: Case) -> None:
    """Prompts that nobody asks for change nothing."""
    nodes = len(case.instance.parents)
    more = case.instance.padded((0, nodes + 1, nodes // 2, nodes))
    expect(subject.decisions(case) == subject.decisions(case, instance=more), "unasked prompts matter")


# --- what happens to requests ---------------------------------------------------------------------------


def up(subject: RouterSubject, case: Case) -> None:
    """It chooses a worker that is up, whoever dies and returns and however the clock jumps."""
    subject.run(case)


def served(subject: RouterSubject, case: Case) -> None:
    """Every request is served once, by the worker that it was last sent to, and by no other."""
    run, witness = subject.run(case)
    count = len(case.instance.requests)
    expect(sorted(witness.finished) == list(range(count)), "a request is not completed once")
    expect(len(witness.sent) == count + run.resent, "a request was sent that was not lost")
    times = Counter(request for request, _ in witness.sent)
    expect(set(times) == set(range(count)), "a request was not sent")
    last = dict(witness.sent)
    expect(
        run.worker.tolist() == [last[t] for t in range(count)], "a request was not served where it was sent"
    )


def books(subject: RouterSubject, case: Case) -> None:
    """When all is done, nothing is outstanding; before, never fewer than none."""
    _, witness = subject.run(case)
    left = witness.router.outstanding.tolist()
    expect(left == [0] * case.workers, f"{left} requests are still outstanding at the workers")


def queues(subject: RouterSubject, case: Case) -> None:
    """Service begins after arrival, takes its cost, and goes in the order of sending at each worker."""
    run, witness = subject.run(case)
    expect(bool(np.isfinite(run.finish).all()), "a request has no end")
    expect(bool((run.start >= run.arrival).all()), "a request is served before it arrives")
    expect(bool((np.diff([run.start, run.first, run.finish], axis=0) >= 0).all()), "times are out of order")
    enough = run.finish - run.start >= run.cost / max(1, run.scale)
    expect(bool(enough.all()), "service takes less than its cost")
    place = {request: at for at, (request, _) in enumerate(witness.sent)}
    for worker in set(run.worker.tolist()):
        mine = sorted(np.flatnonzero(run.worker == worker).tolist(), key=place.__getitem__)
        fair = all(run.start[b] >= run.finish[a] for a, b in pairwise(mine))
        expect(fair, f"worker {worker} does not serve in the order of sending")


CHECKS = {
    check.name: check
    for check in (
        Check("declared", "name, docstring, options with defaults", once=declared),
        Check("up", "chooses a worker that is up", up),
        Check("repeatable", "the same cluster, the same decisions", repeatable),
        Check("seedless", "no draws: the seed changes nothing", seedless, applies=lambda r: not r.draws),
        Check("draws", "draws: the seed can", once=draws, applies=lambda r: r.draws, default=True),
        Check("blind", "what it cannot see changes nothing", blind, applies=lambda r: not r.omniscient),
        Check(
            "omniscient", "the truth can change a decision", once=omniscient, applies=lambda r: r.omniscient
        ),
        Check("relabelled", "numbers of nodes do not matter", relabelled, applies=lambda r: not r.hashes),
        Check("hashes", "numbers of nodes can", once=hashes, applies=lambda r: r.hashes, default=True),
        Check("padded", "unasked prompts do not matter", padded),
        Check("served", "every request is served once, where it was sent", served),
        Check("books", "nothing stays outstanding", books),
        Check("queues", "in order, after arrival, for at least its cost", queues),
    )
}
