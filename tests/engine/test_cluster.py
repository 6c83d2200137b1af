"""The cluster against a plain restatement of it: queues, times, costs, and what goes wrong."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtheory.engine.cluster import ClusterRun, simulate
from kvtheory.engine.incidents import NOTHING, Incidents, Pace, parse_incidents
from kvtheory.engine.reference import ReferenceEngine
from kvtheory.errors import InputError, RouterError
from kvtheory.model import CostModel, Trace
from kvtheory.policies.lru import LeafLRU
from kvtheory.policies.rlt import RLT
from kvtheory.router import Arrival, Completion, Router, View
from kvtheory.routers.greedy import Greedy
from kvtheory.routers.round_robin import RoundRobin
from kvtheory.testing.strategies import instances


class Scripted(Router):
    """Sends requests where it is told to, and writes down what it sees."""

    name = "scripted"
    watches_first_tokens = True
    plan: tuple[int, ...] = ()

    def __init__(self, view: View) -> None:
        super().__init__(view)
        self.seen: list[tuple[str, int, float]] = []
        self.done: list[Completion] = []

    def choose(self, arrival: Arrival) -> int:
        self.seen.append(("arrival", arrival.request, arrival.now))
        wanted = self.plan[arrival.request % len(self.plan)] % self.view.workers
        return wanted if self.view.up[wanted] else self.up()[0]

    def on_first_token(self, request: int, worker: int, now: float) -> None:
        self.seen.append(("first", request, now))

    def on_finish(self, done: Completion) -> None:
        super().on_finish(done)
        self.seen.append(("finish", done.request, done.now))
        self.done.append(done)


def scripted(*plan: int) -> tuple[type[Router], list[Scripted]]:
    made: list[Scripted] = []

    class Mine(Scripted):
        name = "mine"

        def __init__(self, view: View) -> None:
            super().__init__(view)
            self.plan = plan
            made.append(self)

    return Mine, made


COSTS = CostModel(1, 3, 2, 1, attention=1, context=2, fixed=4)


@given(
    instances(max_nodes=7, max_requests=12),
    st.lists(st.integers(0, 3), min_size=1, max_size=5),
    st.integers(1, 4),
    st.lists(st.integers(0, 40), min_size=12, max_size=12),
)
def test_queues_are_served_in_order_by_the_reference_cache(instance, plan, workers, gaps):
    trace = instance.trace
    columns = {"output_length": np.arange(len(trace)) % 3}
    trace = Trace(trace.tree, trace.requests, columns=columns)
    arrivals = np.cumsum(np.array(gaps[: len(trace)], np.float64)) if len(trace) else np.zeros(0)
    if not len(trace):
        return
    router, made = scripted(*plan)
    run = simulate(trace, workers, instance.capacity, LeafLRU, router, costs=COSTS, arrivals=arrivals)
    alone = [ReferenceEngine(trace.tree, instance.capacity, LeafLRU) for _ in range(workers)]
    free = [0] * workers
    loads = [0] * workers
    for t, v in enumerate(trace.requests.tolist()):
        w = plan[t % len(plan)] % workers
        hit = int(trace.tree.depth[alone[w].serve(v)[0]])
        length, tokens = int(trace.tree.depth[v]), t % 3
        prefill = 4 + hit + 3 * (length - hit) + (length**2 - hit**2)
        answer = 2 + tokens + 2 * sum(length + i for i in range(tokens))
        start = max(free[w], arrivals[t])
        free[w] = start + prefill + answer
        loads[w] += prefill + answer
        assert (run.worker[t], run.hit[t], run.start[t]) == (w, hit, start)
        assert (run.first[t], run.finish[t]) == (start + prefill, free[w])
    assert run.loads == loads
    assert run.makespan == max(loads)
    assert sorted(made[0].seen, key=lambda e: e[2]) == made[0].seen
    assert [len([e for e in made[0].seen if e[0] == kind]) for kind in ("arrival", "first", "finish")] == [
        len(trace)
    ] * 3
    assert not made[0].outstanding.any()
    for done in made[0].done:
        assert done.latency == run.latency[done.request]
        assert done.ttft == run.ttft[done.request]


def test_times_and_ties_are_exact_with_fractions():
    trace = Trace.from_parents([0, 0], [1, 2, 1, 2, 1])
    run = simulate(trace, 3, 1, LeafLRU, Greedy, costs=CostModel(Fraction(1, 3), Fraction(2, 3)))
    # 1 to the first worker, 2 to the second; then a hit (2/3 + 1/3) never beats an idle worker (2/3)
    assert run.worker.tolist() == [0, 1, 2, 1, 0]
    assert run.makespan == Fraction(1)
    assert run.loads == [1, 1, Fraction(2, 3)]


def test_a_prompt_longer_than_the_cache_is_cut_and_its_rest_missed():
    trace = Trace.from_parents([0, 1, 2], [3, 3])
    run = simulate(trace, 1, 2, LeafLRU, RoundRobin)
    assert run.cut_requests == 2
    assert run.hit.tolist() == [0, 2]
    assert run.makespan == 3 + 1


def test_counted_in_tokens():
    tree = Trace.from_parents([0, 1], [2, 2]).tree
    tree = type(tree)(tree.parent, np.array([0, 16, 5]))
    run = simulate(Trace(tree, np.array([2, 2])), 1, 2, LeafLRU, RoundRobin, unit="tokens")
    assert run.length.tolist() == [21, 21]
    assert run.hit.tolist() == [0, 21]
    with pytest.raises(InputError, match="not nodes or tokens"):
        simulate(Trace(tree, np.array([2])), 1, 2, LeafLRU, RoundRobin, unit="bytes")


def conserved(run: ClusterRun, workers: int) -> None:
    assert np.isfinite(run.finish).all()
    assert ((0 <= run.worker) & (run.worker < workers)).all()
    assert (run.arrival <= run.start).all()
    assert (run.start <= run.first).all()
    assert (run.first <= run.finish).all()
    assert sum(run.loads) == run.cost.sum() / max(run.scale, 1)


@given(
    instances(max_nodes=6, max_requests=14),
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 60), st.integers(1, 60)), max_size=4),
    st.integers(0, 5),
)
def test_no_request_is_lost_or_counted_twice_when_workers_die(instance, deaths, gap):
    taken: dict[int, list[tuple[int, int]]] = {}
    for worker, start, length in deaths:
        mine = taken.setdefault(worker, [])
        if all(start >= b or start + length <= a for a, b in mine):
            mine.append((start, start + length))
    down = tuple((w, float(a), float(b)) for w, windows in taken.items() for a, b in windows)
    trace = instance.trace
    if not len(trace):
        return
    arrivals = np.arange(len(trace), dtype=np.float64) * gap
    router, made = scripted(0, 1, 2)
    run = simulate(
        trace, 3, instance.capacity, RLT, router, arrivals=arrivals, incidents=Incidents(down=down)
    )
    conserved(run, 3)
    finished = [done.request for done in made[0].done]
    assert sorted(finished) == list(range(len(trace)))
    assert not made[0].outstanding.any()
    for w, a, b in down:
        mine = run.worker == w
        assert not (
            (run.start[mine] < b) & (run.finish[mine] > a) & (run.finish[mine] > run.start[mine])
        ).any()
    for w in range(3):  # first come, first served
        mine = np.flatnonzero(run.worker == w)
        order = mine[np.argsort(run.start[mine], kind="stable")]
        assert (run.start[order][1:] >= run.finish[order][:-1]).all()


def test_a_dead_worker_returns_empty_and_its_requests_go_elsewhere():
    trace = Trace.from_parents([0, 1, 2], [3, 3, 3, 3])
    router, _ = scripted(0)
    arrivals = np.array([0.0, 4.0, 5.0, 20.0])
    run = simulate(
        trace,
        2,
        3,
        LeafLRU,
        router,
        arrivals=arrivals,
        incidents=parse_incidents("down:0@2-10"),
        costs=CostModel(1, 2),
    )
    assert run.resent == 1
    assert run.worker.tolist() == [1, 1, 1, 0]  # lost at 2, sent again at once; then 0 is down
    assert run.start[0] == 2.0
    assert run.hit.tolist() == [0, 3, 3, 0]


def test_requests_wait_while_nobody_is_up():
    trace = Trace.from_parents([0], [1, 1])
    run = simulate(
        trace,
        1,
        1,
        LeafLRU,
        RoundRobin,
        arrivals=np.array([1.0, 2.0]),
        incidents=parse_incidents("down:0@0-10"),
    )
    assert run.start.tolist() == [10.0, 11.0]
    assert run.latency.tolist() == [10.0, 9.0]


def test_a_slow_worker_takes_longer_and_its_load_does_not_change():
    trace = Trace.from_parents([0, 0, 0], [1, 2, 3])
    costs = CostModel(0, 10)
    run = simulate(trace, 1, 3, LeafLRU, RoundRobin, costs=costs, incidents=parse_incidents("slow:0@5-25x2"))
    # 5 units of work by 5, then 10 more by 25, then the rest at full speed
    assert run.finish.tolist() == [15.0, 30.0 - 0.0, 40.0]
    assert run.makespan == 30


def test_pace_is_the_inverse_of_work_done():
    pace = Pace([(2.0, 4.0, 2.0), (4.0, 6.0, 0.5), (9.0, 10.0, 4.0)])

    def speed(time: float) -> float:
        return 0.5 if 2 <= time < 4 else 2.0 if 4 <= time < 6 else 0.25 if 9 <= time < 10 else 1.0

    step = 1 / 64
    for start in (0.0, 1.5, 3.0, 5.0, 9.5, 12.0):
        for work in (0.0, 0.5, 1.0, 3.0, 7.75):
            end = pace.finish(start, work)
            done = sum(speed(start + i * step) * step for i in range(round((end - start) / step)))
            assert done == pytest.approx(work, abs=2 * step)


def test_the_routers_clock_may_jump():
    trace = Trace.from_parents([0], [1, 1, 1])
    router, made = scripted(0)
    simulate(
        trace,
        1,
        1,
        LeafLRU,
        router,
        arrivals=np.array([0.0, 5.0, 10.0]),
        incidents=parse_incidents("clock@4-3,clock@8+60"),
    )
    assert [now for kind, _, now in made[0].seen if kind == "arrival"] == [0.0, 2.0, 67.0]


class Astray(Router):
    """Sends everything to a worker that does not exist."""

    name = "astray"

    def choose(self, arrival: Arrival) -> int:
        return self.view.workers


class Spy(Router):
    """Looks at what it may not see."""

    name = "spy"

    def choose(self, arrival: Arrival) -> int:
        return int(self.view.true().backlog(arrival.now)[0])


def test_a_router_that_breaks_its_contract_is_an_error():
    trace = Trace.from_parents([0], [1])
    with pytest.raises(RouterError, match="worker 2, which is not up"):
        simulate(trace, 2, 1, LeafLRU, Astray)
    with pytest.raises(RouterError, match="omniscient routers alone"):
        simulate(trace, 2, 1, LeafLRU, Spy)
    with pytest.raises(RouterError, match="needs a name"):
        type("Nameless", (Router,), {})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("down:0@5", "is not down:WORKER"),
        ("down:0@5-9x2", "is not down:WORKER"),
        ("slow:0@5-9", "is not down:WORKER"),
        ("clock@1e+2.3.4", "is not down|holds no number"),
        ("down:0@1..2-3", "holds no number"),
        ("down:7@1-2", "no worker 7"),
        ("down:0@3-2", "out of range"),
        ("slow:0@1-2x0", "out of range"),
        ("down:0@1-5,down:0@4-6", "twice at once"),
    ],
)
def test_incidents_that_make_no_sense(text, message):
    with pytest.raises(InputError, match=message):
        parse_incidents(text).require(2)


def test_refusals():
    trace = Trace.from_parents([0], [1])
    with pytest.raises(InputError, match="at least one"):
        simulate(trace, 0, 1, LeafLRU, RoundRobin)
    with pytest.raises(InputError, match="no requests"):
        simulate(Trace.from_parents([0], []), 1, 1, LeafLRU, RoundRobin)
    assert parse_incidents("") == NOTHING
