"""Broken routers and simulators, each with the check that must catch it: the router contract's own test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kvtheory.engine.cluster import ClusterRun, MakeRouter, simulate
from kvtheory.router import Arrival, Completion, Router, View
from kvtheory.routers.least_outstanding import LeastOutstanding
from kvtheory.routers.random import Random
from kvtheory.routers.round_robin import RoundRobin
from kvtheory.testing.router_subject import RouterSubject

honest: Callable[..., ClusterRun] = simulate


@dataclass(frozen=True)
class Mutant:
    """A broken subject.

    Args:
        subject: what is broken.
        caught_by: the name of the check that must fail on it.
    """

    subject: RouterSubject
    caught_by: str


# --- routers that lie about themselves or break the rules -----------------------------------------------


class NoDefault(RoundRobin):
    """An option that must be given."""

    name = "no_default"

    def __init__(self, view: View, *, must: int) -> None:
        super().__init__(view)


class OddOption(RoundRobin):
    """An option that no command line can give."""

    name = "odd_option"

    def __init__(self, view: View, *, weights: tuple[int, ...] = ()) -> None:
        super().__init__(view)


class Stubborn(RoundRobin):
    """The last worker, up or down."""

    name = "stubborn"

    def choose(self, arrival: Arrival) -> int:
        return self.view.workers - 1


class NumpyWorker(LeastOutstanding):
    """A worker as numpy counts."""

    name = "numpy_worker"

    def choose(self, arrival: Arrival) -> int:
        return np.int64(super().choose(arrival))  # type: ignore[return-value]


class Optimist(LeastOutstanding):
    """Holds dead workers for alive."""

    name = "optimist"

    def choose(self, arrival: Arrival) -> int:
        self.view.up[:] = True
        return super().choose(arrival)


class Moody(Router):
    """Goes on where the last cluster ended."""

    name = "moody"
    calls = 0

    def choose(self, arrival: Arrival) -> int:
        Moody.calls += 1
        up = self.up()
        return up[Moody.calls % len(up)]


class FalseSeedless(Random):
    """Draws, and says that it does not."""

    name = "false_seedless"
    draws = False


class FalseDraws(RoundRobin):
    """Does not draw, and says that it does."""

    name = "false_draws"
    draws = True


class Asks(Router):
    """Asks for the truth, and says that it is blind."""

    name = "asks"

    def choose(self, arrival: Arrival) -> int:
        return self.lowest(self.view.true().backlog(arrival.now))


class Peeps(Router):
    """Looks at the truth where it lies about, and says that it is blind."""

    name = "peeps"

    def choose(self, arrival: Arrival) -> int:
        truth = self.view.truth
        return self.lowest(np.zeros(self.view.workers) if truth is None else truth.backlog(arrival.now))


class FalseOmniscient(LeastOutstanding):
    """Needs no truth, and says that it does."""

    name = "false_omniscient"
    omniscient = True


class ByNumber(Router):
    """Sends nodes by their number, and does not say so."""

    name = "by_number"

    def choose(self, arrival: Arrival) -> int:
        up = self.up()
        return up[arrival.node % len(up)]


class FalseHashes(RoundRobin):
    """Hashes nothing, and says that it does."""

    name = "false_hashes"
    hashes = True


class KnowsAll(Router):
    """Counts the prompts that are still to come."""

    name = "knows_all"

    def choose(self, arrival: Arrival) -> int:
        up = self.up()
        return up[self.view.tree.n % len(up)]


class Forgets(RoundRobin):
    """Does not count completions."""

    name = "forgets"

    def on_finish(self, done: Completion) -> None:
        pass


class CountsTheDead(LeastOutstanding):
    """Counts requests that died with their worker."""

    name = "counts_the_dead"

    def on_down(self, worker: int, lost: list[int], now: float) -> None:
        pass


# --- simulators that lose, double or hurry ---------------------------------------------------------------


def talks(*arguments: Any, **options: Any) -> ClusterRun:
    """Shows everybody the truth."""
    *head, make = arguments

    def shown(view: View) -> Router:
        router: Router = make(view)
        router.omniscient = True  # type: ignore[misc]
        return router

    return honest(*head, shown, **options)


def twice(*arguments: Any, **options: Any) -> ClusterRun:
    """Announces a completion twice."""
    *head, make = arguments

    def shown(view: View) -> Router:
        router: Router = make(view)
        once = router.on_finish

        def doubled(done: Completion) -> None:
            once(done)
            if done.request == 0:
                router.finished.append(0)  # type: ignore[attr-defined]

        router.on_finish = doubled  # type: ignore[method-assign]
        return router

    return honest(*head, shown, **options)


def elsewhere(*arguments: Any, **options: Any) -> ClusterRun:
    """Serves by the neighbour of the worker that was chosen."""
    run = honest(*arguments, **options)
    return replace(run, worker=(run.worker + 1) % max(2, run.workers))


def hurries(*arguments: Any, **options: Any) -> ClusterRun:
    """Ends every service as it begins."""
    run = honest(*arguments, **options)
    return replace(run, finish=run.start, first=run.start)


def at_once(*arguments: Any, **options: Any) -> ClusterRun:
    """Serves everything as it arrives, as if there were no queue."""
    run = honest(*arguments, **options)
    waited = run.start - run.arrival
    return replace(run, start=run.arrival, first=run.first - waited, finish=run.finish - waited)


def early(*arguments: Any, **options: Any) -> ClusterRun:
    """Begins before the arrival."""
    run = honest(*arguments, **options)
    return replace(run, start=run.start - 1)


def of(router: type[Router], caught_by: str, make: MakeRouter | None = None) -> Mutant:
    """A router that breaks a clause."""
    return Mutant(RouterSubject(router, make), caught_by)


def inside(simulator: Any, caught_by: str) -> Mutant:
    """A simulator that breaks a clause for an honest router."""
    return Mutant(RouterSubject(LeastOutstanding, simulate=simulator), caught_by)


MUTANTS = {
    "no_default": of(NoDefault, "declared"),
    "odd_option": of(OddOption, "declared"),
    "stubborn": of(Stubborn, "up"),
    "numpy_worker": of(NumpyWorker, "up"),
    "optimist": of(Optimist, "up"),
    "moody": of(Moody, "repeatable"),
    "false_seedless": of(FalseSeedless, "seedless"),
    "false_draws": of(FalseDraws, "draws"),
    "asks": of(Asks, "blind"),
    "peeps": of(Peeps, "blind"),
    "talks": inside(talks, "blind"),
    "false_omniscient": of(FalseOmniscient, "omniscient"),
    "by_number": of(ByNumber, "relabelled"),
    "false_hashes": of(FalseHashes, "hashes"),
    "knows_all": of(KnowsAll, "padded"),
    "twice": inside(twice, "served"),
    "elsewhere": inside(elsewhere, "served"),
    "forgets": of(Forgets, "books"),
    "counts_the_dead": of(CountsTheDead, "books"),
    "hurries": inside(hurries, "queues"),
    "at_once": inside(at_once, "queues"),
    "early": inside(early, "queues"),
}
