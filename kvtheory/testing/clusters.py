"""Small clusters to hold routers to: a trace, workers, arrivals, service costs, and what goes wrong.

As in :mod:`kvtheory.testing.strategies`, what is drawn shrinks to little: few requests, one worker, all
arrivals at 0, nothing wrong. Times and costs are whole numbers, so that no comparison needs a tolerance.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from kvtheory.engine.cluster import UNIT
from kvtheory.engine.incidents import NOTHING, Incidents
from kvtheory.model import CostModel, Floats, Trace
from kvtheory.rng import SplitMix64
from kvtheory.testing.instances import Instance, random_instance, spider
from kvtheory.testing.strategies import instances, seeds

WORKERS = (1, 2, 3, 4, 66, 130)


@dataclass(frozen=True)
class Case:
    """A cluster and what happens to it.

    Args:
        instance: prompts, capacity and requests; a prompt may be longer than the capacity, or empty.
        workers: how many there are.
        gaps: between successive arrivals, the first from 0; cyclically repeated.
        answers: tokens of the answers; cyclically repeated.
        costs: of service.
        incidents: what goes wrong.
        seed: of the router's draws.
    """

    instance: Instance
    workers: int
    gaps: tuple[int, ...] = (0,)
    answers: tuple[int, ...] = (0,)
    costs: CostModel = UNIT
    incidents: Incidents = NOTHING
    seed: int = 0

    @property
    def trace(self) -> Trace:
        """The requests with their answers."""
        trace = self.instance.trace
        answers = np.resize(np.array(self.answers, np.int64), len(trace))
        return Trace(trace.tree, trace.requests, columns={"output_length": answers})

    @property
    def arrivals(self) -> Floats:
        """Times of arrival, shape (N,)."""
        return np.cumsum(np.resize(np.array(self.gaps, np.float64), len(self.instance.requests)))


def incidents_from(numbers: list[int], workers: int) -> Incidents:
    """Read a script off some numbers, however many there are; nothing for none."""
    down: dict[int, list[tuple[int, float, float]]] = {}
    slow: dict[int, list[tuple[int, float, float, float]]] = {}
    clock: list[tuple[float, float]] = []
    for kind, who, start, length in zip(*[iter(numbers)] * 4, strict=False):
        worker = who % workers
        if kind % 3 == 2:
            clock.append((float(start), float(length - 20)))
            continue
        busy = down if kind % 3 == 0 else slow
        ends = [window[2] for window in busy.get(worker, [])]
        begin = max([float(start), *ends])
        if kind % 3 == 0:
            down.setdefault(worker, []).append((worker, begin, begin + 1 + length))
        else:
            slow.setdefault(worker, []).append((worker, begin, begin + 1 + length, float(2 + length % 2)))
    return Incidents(
        tuple(window for windows in down.values() for window in windows),
        tuple(window for windows in slow.values() for window in windows),
        tuple(clock),
    )


@st.composite
def cases(draw: st.DrawFn, *, max_requests: int = 20) -> Case:
    """Clusters of 1 to 130 workers."""
    instance = draw(instances(max_requests=max_requests, min_requests=1, fits=False))
    workers = draw(st.sampled_from(WORKERS))
    small = st.integers(0, 30)
    return Case(
        instance,
        workers,
        tuple(draw(st.lists(st.integers(0, 12), min_size=1, max_size=5))),
        tuple(draw(st.lists(st.integers(0, 4), min_size=1, max_size=3))),
        CostModel(*draw(st.tuples(*[st.integers(0, 3)] * 4))),
        incidents_from(draw(st.lists(small, max_size=16)), workers),
        draw(seeds()),
    )


def corpus() -> Iterator[Case]:
    """Pseudo-random clusters, the same on every machine; each with more requests than workers."""
    for number, workers in enumerate((1, 2, 3, 4, 5, 3, 2, 66, 130)):
        dice = SplitMix64(number)
        drawn = random_instance(number, max_nodes=30)
        nodes = len(drawn.parents)
        requests = tuple(dice.below(nodes + 1) for _ in range(40 + workers))
        wrong = [0, workers - 1, 4, 20, *(dice.below(40) for _ in range(20))]  # first, the last worker dies
        yield Case(
            Instance(drawn.parents, 2 + dice.below(1 + nodes // 3), requests),
            workers,
            tuple(dice.below(4) for _ in range(5)) if number % 2 else (0,),
            tuple(dice.below(3) for _ in range(4)),
            CostModel(dice.below(2), 1 + dice.below(5), dice.below(3), dice.below(2)),
            incidents_from(wrong, workers) if number % 2 else NOTHING,
            number,
        )
    dice = SplitMix64(99)  # long prompts and little room: what is evicted matters
    yield Case(Instance(spider(5, 8), 10, tuple(1 + dice.below(40) for _ in range(60))), 2)
