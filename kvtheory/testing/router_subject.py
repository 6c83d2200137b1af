"""What is held to the contract of routers: a router in the simulator, and a witness to what it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from kvtheory.engine.cluster import ClusterRun, MakeRouter, simulate
from kvtheory.policies.lru import LeafLRU
from kvtheory.router import Arrival, Completion, Router, View
from kvtheory.testing.clusters import Case
from kvtheory.testing.subject import expect

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
