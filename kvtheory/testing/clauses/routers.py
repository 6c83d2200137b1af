"""What a router declares, what it may see, and that every request is served."""

from __future__ import annotations

import inspect
from collections import Counter
from itertools import pairwise
from typing import Any, Literal, get_origin

import numpy as np

from kvtheory.engine.arrivals import sessions
from kvtheory.engine.workers import Agenda, FifoWorkers, Job, Rates
from kvtheory.errors import RouterError
from kvtheory.model import CostModel
from kvtheory.policies.lru import LeafLRU
from kvtheory.policies.rlt import RLT
from kvtheory.policy import Policy
from kvtheory.registry import router_options
from kvtheory.rng import SplitMix64
from kvtheory.router import Arrival, View
from kvtheory.testing.clusters import Case, corpus
from kvtheory.testing.instances import linear_extension
from kvtheory.testing.router_subject import Decisions, RouterSubject
from kvtheory.testing.subject import expect


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
