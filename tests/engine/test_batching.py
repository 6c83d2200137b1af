"""Workers that batch, against a simulator that goes step by step and unit by unit, and against their kin."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from profiles import examples

from kvtheory.engine.batching import Batching, BatchingWorkers
from kvtheory.engine.cluster import ClusterRun, simulate
from kvtheory.engine.incidents import Incidents, parse_incidents
from kvtheory.errors import InputError
from kvtheory.live.together import hits_together
from kvtheory.model import CostModel, Floats, PrefixTree, Trace
from kvtheory.registry import policies
from kvtheory.router import Arrival, Completion, View
from kvtheory.routers.round_robin import RoundRobin
from kvtheory.sources import generate
from kvtheory.testing.strategies import instances

LRU = policies()["lru"]


class Witness(RoundRobin):
    """Round robin that writes down what it sees."""

    name = "witness"
    omniscient = True
    watches_first_tokens = True

    def __init__(self, view: View) -> None:
        super().__init__(view)
        self.finished: dict[int, list[float]] = {}
        self.first: dict[int, float] = {}
        self.backlogs: list[list[float]] = []

    def choose(self, arrival: Arrival) -> int:
        self.backlogs.append(self.view.true().backlog(arrival.now).tolist())
        return super().choose(arrival)

    def on_first_token(self, request: int, worker: int, now: float) -> None:
        self.first[request] = now

    def on_finish(self, done: Completion) -> None:
        super().on_finish(done)
        self.finished.setdefault(done.request, []).append(done.now)


def watched(trace: Trace, *args: Any, **kwargs: Any) -> tuple[ClusterRun, Witness]:
    """A run, and its router."""
    seen: list[Witness] = []

    def make(view: View) -> Witness:
        seen.append(Witness(view))
        return seen[0]

    return simulate(trace, *args, make, **kwargs), seen[0]


def plain(
    trace: Trace, arrivals: list[int], capacity: int, costs: CostModel, how: Batching
) -> list[tuple[int, int, int, int]]:
    """(hit, start, first, finish) of each request: one worker, leaf-LRU, one step after the other."""
    tree, answers = trace.tree, trace.columns["output_length"].tolist()
    paths = [tree.path(v) for v in trace.requests.tolist()]
    lengths = [int(tree.tokens[path].sum()) for path in paths]
    pending, queue, batch = list(range(len(trace))), list[int](), list[int]()
    cache: dict[int, tuple[int, int]] = {}  # node: (last use, insertion)
    computed, made = dict[int, int](), Counter[int]()
    hit, start, first, finish = ({} for _ in range(4))
    served = inserted = now = 0
    while pending or queue or batch:
        if not queue and not batch:
            now = max(now, arrivals[pending[0]])
        while pending and arrivals[pending[0]] <= now:
            queue.append(pending.pop(0))
        left = 10**9 if how.max_batched_tokens is None else how.max_batched_tokens
        took: int = how.step
        decoding = [r for r in batch if r in first]
        read = sum(lengths[r] + made[r] - 1 for r in decoding)
        took, left = took + costs.decode * len(decoding) + costs.context * read, left - len(decoding)
        made.update(decoding)
        wants = [r for r in batch if r not in first]
        while True:
            for r in wants:
                while left and computed[r] < lengths[r]:
                    took += costs.alpha_miss + costs.attention * (2 * computed[r] + 1)
                    computed[r], left = computed[r] + 1, left - 1
                if computed[r] == lengths[r]:
                    made[r] += 1
            held = {u for r in batch for u in paths[r][:capacity]}
            if not (left and queue and len(batch) < how.together):
                break
            r = queue[0]
            path = paths[r][:capacity]
            if len(held | set(path)) + len(batch) + 1 > capacity + 1:
                break
            queue.pop(0)
            known = [u for u in path if u in cache]
            hit[r] = computed[r] = int(tree.tokens[known].sum())
            start[r] = now
            took += costs.fixed + costs.alpha_cached * hit[r]
            for u in path:
                cache[u] = (served, cache[u][1] if u in cache else inserted)
                inserted += 1
            served += 1
            while len(cache) + len(batch) + 1 > capacity + 1:
                leaves = set(cache) - held - set(path) - {int(tree.parent[u]) for u in cache}
                del cache[min(leaves, key=lambda u: (cache[u][0], -tree.depth[u], cache[u][1]))]
            batch.append(r)
            wants = [r]
        ends = [r for r in batch if made[r] >= max(1, answers[r])]
        now += took + costs.output * len(ends)
        for r in batch:
            if made[r] == 1 and r not in first:
                first[r] = now
        for r in ends:
            finish[r] = now
            batch.remove(r)
    return [(hit[r], start[r], first[r], finish[r]) for r in range(len(trace))]


def found(run: ClusterRun) -> list[tuple[float, ...]]:
    """The same of a run."""
    return list(
        zip(run.hit.tolist(), run.start.tolist(), run.first.tolist(), run.finish.tolist(), strict=True)
    )


@st.composite
def loads(draw: st.DrawFn) -> tuple[Trace, list[int], int, CostModel]:
    """Requests with answers and arrivals; a capacity; costs."""
    case = draw(instances(max_nodes=9, max_requests=14, min_requests=1, fits=False))
    count = len(case.requests)

    def several(top: int) -> list[int]:
        return draw(st.lists(st.integers(0, top), min_size=count, max_size=count))

    size = case.tree.n
    tokens = draw(st.lists(st.integers(1, 3), min_size=size, max_size=size))
    tree = PrefixTree(case.tree.parent, np.array([0, *tokens], np.int32))
    answers = {"output_length": np.array(several(6), np.int64)}
    trace = Trace(tree, np.array(case.requests, np.int32), columns=answers)
    arrivals = np.cumsum(several(draw(st.sampled_from([0, 3, 30])))).tolist()
    costs = CostModel(*draw(st.lists(st.integers(0, 3), min_size=7, max_size=7)))
    return trace, arrivals, case.capacity, costs


@st.composite
def batchings(draw: st.DrawFn) -> Batching:
    together = draw(st.integers(1, 4))
    budget = draw(st.one_of(st.none(), st.integers(together, together + 5)))
    return Batching(together, budget, draw(st.integers(0, 3)))


@settings(max_examples=examples(200), deadline=None)
@given(load=loads(), how=batchings())
def test_every_time_is_that_of_a_plain_simulator(
    load: tuple[Trace, list[int], int, CostModel], how: Batching
) -> None:
    trace, arrivals, capacity, costs = load
    run, router = watched(
        trace, 1, capacity, LRU, costs=costs, arrivals=np.array(arrivals, float), unit="tokens", batching=how
    )
    assert found(run) == plain(trace, arrivals, capacity, costs, how)
    assert [router.first[r] for r in range(len(trace))] == run.first.tolist()
    assert router.finished == {r: [time] for r, time in enumerate(run.finish.tolist())}


@pytest.fixture(scope="module")
def shared() -> Trace:
    trace = generate("gsp:groups=6,prompts=6,block=256,order=random,seed=3")
    trace.columns["output_length"] = np.random.default_rng(1).choice(
        [1, 6, 12], len(trace)
    )  # some end together
    return trace


@pytest.mark.parametrize("together", [3, 8])
@pytest.mark.parametrize("name", sorted(policies()))
def test_hits_are_those_of_the_scheduler_that_vllm_is_held_to(
    shared: Trace, name: str, together: int
) -> None:
    """All there from the start, no budget: `tests/on_vllm` has the same of vLLM itself."""
    blocks = int(shared.depths.max()) * 3
    run = simulate(
        shared,
        1,
        blocks - 1,
        policies()[name],
        RoundRobin,
        costs=CostModel(decode=1),
        batching=Batching(together, None),
        seed=13,
    )
    outputs = shared.columns["output_length"].astype(np.int32)
    expected = hits_together(shared, policies()[name], blocks, together, outputs=outputs, seed=13)
    assert run.hit.tolist() == expected.tolist()
    assert 0 < expected.sum() < int(shared.depths.sum())


@pytest.mark.parametrize("name", ["lru", "rlt"])
@settings(max_examples=examples(60), deadline=None)
@given(load=loads(), seed=st.integers(0, 3))
def test_one_together_is_one_at_a_time(
    name: str, load: tuple[Trace, list[int], int, CostModel], seed: int
) -> None:
    """But for the first token: here prefill makes it, there every token is decoded."""
    trace, arrivals, capacity, costs = load
    kwargs: dict[str, Any] = {"costs": costs, "arrivals": np.array(arrivals, float), "seed": seed}
    batches = simulate(trace, 3, capacity, policies()[name], RoundRobin, **kwargs, batching=Batching(1, None))
    answers = trace.columns["output_length"]
    fewer = Trace(trace.tree, trace.requests, columns={"output_length": np.maximum(answers - 1, 0)})
    alone = simulate(fewer, 3, capacity, policies()[name], RoundRobin, **kwargs)
    for one, other in (
        (batches.hit, alone.hit),
        (batches.start, alone.start),
        (batches.finish, alone.finish),
    ):
        assert one.tolist() == other.tolist()
    # the cost of an answer of one token is paid before that token is out, of a longer one after its first
    early = np.where(answers <= 1, float(costs.output), 0.0)
    assert (batches.first - early).tolist() == alone.first.tolist()


def incidents(dice: np.random.Generator, workers: int) -> Incidents:
    """A worker or two that die, one that is slow."""
    down = [(w, float(a), float(a + dice.integers(1, 60))) for w, a in enumerate(dice.integers(0, 90, 2))]
    slow = [
        (int(dice.integers(workers)), 10.0, float(dice.integers(20, 200)), float(dice.choice([0.5, 2, 3])))
    ]
    return Incidents(tuple(down[: int(dice.integers(1, 3))]), tuple(slow))


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("name", ["lru", "marking"])
def test_nothing_is_lost_or_done_twice(shared: Trace, name: str, seed: int) -> None:
    dice = np.random.default_rng(seed)
    workers = int(dice.integers(1, 4))
    together = int(dice.integers(1, 6))
    arrivals = np.cumsum(dice.integers(0, 6, len(shared))).astype(float)
    run, router = watched(
        shared,
        workers,
        int(shared.depths.max()) * 2,
        policies()[name],
        costs=CostModel(decode=1, output=2),
        arrivals=arrivals,
        incidents=incidents(dice, max(2, workers)) if workers > 1 else parse_incidents("down:0@50-90"),
        batching=Batching(together, int(dice.integers(together, 80)), 1),
        seed=seed,
    )
    assert run.resent > 0
    assert router.finished == {r: [time] for r, time in enumerate(run.finish.tolist())}
    assert (run.arrival <= run.start).all()
    assert (run.start < run.first).all()
    assert (run.first <= run.finish).all()
    fleet = cast(BatchingWorkers, router.view.true())
    assert fleet.load.tolist() == run.loads
    for w, lane in enumerate(fleet.lanes):
        assert (lane.cache.used, lane.cache.users.any(), lane.sent, lane.wanted) == (0, False, {}, {})
        held = np.flatnonzero(fleet.index.holders[:, 0] >> np.uint64(w) & np.uint64(1)).tolist()
        assert held == [v for v in range(1, shared.tree.n + 1) if v in lane.cache.table]


def test_the_backlog_is_the_time_until_all_is_served(shared: Trace) -> None:
    """If no step costs anything by itself, nothing is evicted and nobody else comes."""
    arrivals = np.cumsum(np.random.default_rng(5).integers(0, 60, len(shared))).astype(float)
    kwargs: dict[str, Any] = {"costs": CostModel(decode=2, output=1), "batching": Batching(4, 40)}
    _, router = watched(shared, 1, 9999, LRU, arrivals=arrivals, **kwargs)
    for count in range(1, len(shared)):
        head = Trace(
            shared.tree,
            shared.requests[:count],
            columns={"output_length": shared.columns["output_length"][:count]},
        )
        run = simulate(head, 1, 9999, LRU, RoundRobin, arrivals=arrivals[:count], **kwargs)
        assert router.backlogs[count] == [max(0.0, run.finish_time - arrivals[count])]
    assert sum(seen > 0 for (seen,) in router.backlogs) > len(shared) // 2


def two(arrivals: list[float], script: str = "", answers: tuple[int, int] = (5, 1)) -> ClusterRun:
    trace = Trace.from_parents([0, 0], [1, 2])
    trace.columns["output_length"] = np.array(answers)
    run, router = watched(
        trace,
        1,
        8,
        LRU,
        costs=CostModel(alpha_miss=10, decode=10),
        arrivals=np.array(arrivals),
        incidents=parse_incidents(script),
        batching=Batching(2, None),
    )
    assert router.finished == {r: [time] for r, time in enumerate(run.finish.tolist())}
    return run


def test_a_request_joins_at_the_next_step() -> None:
    # the first token at 10, then one every 10; the second's prefill makes the step from 30 longer
    run = two([0, 21])
    assert (run.first.tolist(), run.finish.tolist()) == ([10, 50], [60, 50])
    assert two([0, 20]).start.tolist() == [0, 20]


def test_a_slow_worker_is_slow_within_a_step() -> None:
    # 15 of 20 are done at 25; the other 5 take 10 at half the speed, where the second request joins
    run = two([0, 32], "slow:0@25-45x2")
    assert (run.start.tolist(), run.finish.tolist()) == ([0, 35], [70, 60])
    halved: Floats = two([0, 0], "slow:0@0-999x2").finish
    assert halved.tolist() == (2 * two([0, 0]).finish).tolist()


def test_the_dead_send_back_whom_they_had_in_order() -> None:
    run = two([0, 21], "down:0@33-100")
    assert (run.resent, run.hit.tolist(), run.start.tolist()) == (2, [0, 0], [100, 100])
    assert (run.first.tolist(), run.finish.tolist()) == ([120, 120], [160, 120])
    # it is back before the time at which the first would have ended
    run = two([0, 0], "down:0@55-56")
    assert (run.resent, run.finish.tolist()) == (1, [106, 20])


def test_fractions_stay_exact() -> None:
    trace = Trace.from_parents([0, 1], [2])
    trace.columns["output_length"] = np.array([4])
    costs = CostModel(alpha_miss=Fraction(1, 3), decode=Fraction(1, 5))
    run = simulate(trace, 1, 2, LRU, RoundRobin, costs=costs, batching=Batching(2, None, Fraction(1, 7)))
    assert run.scale == 105
    assert run.finish_time == float(Fraction(2, 3) + Fraction(3, 5) + Fraction(4, 7))


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ((0,), "0 requests together"),
        ((4, 3), "3 tokens a step"),
        ((4, 4, -1), "must be finite, and not negative"),
        ((4, 4, float("inf")), "must be finite, and not negative"),
    ],
)
def test_bad_numbers(numbers: tuple[Any, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Batching(*numbers)
