"""A router of ours before engines: it is told of its own dispatches, of first tokens and of completions.

What the cluster's loop (:mod:`kvtheory.engine.cluster`) does in simulated time, this does in real time.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from gpu_validation.fleet import Fleet, Happening
from kvtheory.engine.arrivals import sessions
from kvtheory.errors import RouterError
from kvtheory.model import Floats, IntArray, LongArray, Trace
from kvtheory.router import Arrival, Completion, Router


@dataclass(frozen=True, eq=False)
class Dispatched:
    """What became of each request.

    Attributes:
        engine: int32, shape (N,): who served it.
        prompt, cached: int64, shape (N,): tokens, as the engine reports them.
        ttft: seconds to the first token, shape (N,): from the planned arrival where there are arrivals,
            else from when its engine took it up.
    """

    engine: IntArray
    prompt: LongArray
    cached: LongArray
    ttft: Floats


def dispatch(trace: Trace, router: Router, fleet: Fleet, arrivals: Floats | None = None) -> Dispatched:
    """Serve a trace by engines behind a router; each serves its queue in order, one request at a time.

    Args:
        trace: the requests; the fleet knows their prompts by number.
        router: for as many workers as there are engines; its view tells the length of each path.
        fleet: the engines, all idle.
        arrivals: non-decreasing, in seconds, shape (N,). None: all requests are there at the start, and the
            router sends them all, at time 0, before it hears of any: its choices depend on no clock.

    Raises:
        RouterError: if the router chooses no engine.
        EngineError: if an engine fails or is gone.
    """
    loop = _Loop(trace, router, fleet, arrivals)
    for request in range(len(trace)):
        if arrivals is not None:
            while (happened := fleet.next(loop.start + float(arrivals[request]))) is not None:
                loop.hear(happened)
        loop.send(request)
    while loop.open:
        happened = fleet.next(None)
        assert happened is not None, "it waits for ever"
        loop.hear(happened)
    return Dispatched(loop.engine, loop.prompt, loop.cached, loop.first - loop.since)


class _Loop:
    """Who has what, and what is known of it."""

    def __init__(self, trace: Trace, router: Router, fleet: Fleet, arrivals: Floats | None) -> None:
        self.router, self.fleet, self.arrivals = router, fleet, arrivals
        self.nodes: list[int] = trace.requests.tolist()
        self.length: list[int] = router.view.above[trace.requests].tolist()
        self.session: list[int] = sessions(trace).tolist()
        count = len(trace)
        self.open = 0
        self.queues: list[deque[int]] = [deque() for _ in range(router.view.workers)]
        self.engine: IntArray = np.full(count, -1, np.int32)
        self.prompt, self.cached = np.zeros(count, np.int64), np.zeros(count, np.int64)
        self.arrival = np.zeros(count) if arrivals is None else arrivals
        self.since = self.arrival.copy()
        self.first = np.full(count, np.nan)
        self.start = fleet.now()

    def send(self, request: int) -> None:
        """The router chooses."""
        router = self.router
        now = 0.0 if self.arrivals is None else self.fleet.now() - self.start
        arrival = Arrival(request, self.nodes[request], self.length[request], self.session[request], now)
        chosen = router.choose(arrival)
        if not 0 <= chosen < len(self.queues):
            raise RouterError(f"{router.name} sends request {request} to engine {chosen}, which is not there")
        router.on_dispatch(arrival, chosen)
        self.engine[request] = chosen
        self.open += 1
        self.queues[chosen].append(request)
        if len(self.queues[chosen]) == 1:
            self._begin(chosen)

    def hear(self, happened: Happening) -> None:
        """A first token or a completion."""
        engine, request, at, served = happened
        now = at - self.start
        if served is None:
            self.first[request] = now
            if self.router.watches_first_tokens:
                self.router.on_first_token(request, engine, now)
            return
        self.prompt[request], self.cached[request] = served
        self.queues[engine].popleft()
        self.open -= 1
        if self.queues[engine]:
            self._begin(engine)
        sent = float(self.arrival[request])
        ttft = float(self.first[request]) - sent
        self.router.on_finish(Completion(request, engine, now, now - sent, ttft, int(served[1])))

    def _begin(self, engine: int) -> None:
        request = self.queues[engine][0]
        if self.arrivals is None:
            self.since[request] = self.fleet.now() - self.start
        self.fleet.begin(engine, request)
