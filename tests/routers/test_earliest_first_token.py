"""earliest_first_token against its rule in plain Python: histories, sets of nodes, sums."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pytest

from kvtheory.engine.cluster import simulate
from kvtheory.engine.incidents import parse_incidents
from kvtheory.engine.reference import ReferenceEngine
from kvtheory.errors import InputError
from kvtheory.model import CostModel, PrefixTree, Trace
from kvtheory.policies.lru import LeafLRU
from kvtheory.policies.rlt import RLT
from kvtheory.rng import SplitMix64
from kvtheory.router import Arrival, Completion, View
from kvtheory.routers.earliest_first_token import Answers, EarliestFirstToken

GRID = [0.0, *(2 ** (i / 4) for i in range(81))]


def how_long(answers: list[float], so_far: float) -> float:
    """Tokens still to come: by the answers as long as the next point of the grid, or up to that point."""
    edge = next((x for x in GRID if x > so_far), GRID[-1])
    longer = [x for x in answers if x >= edge]
    return max(0.0, (sum(longer) / len(longer) if longer else edge) - so_far)


@dataclass
class Life:
    """What the router knows of a worker since it was last started: its queue, what it serves, its past."""

    cache: ReferenceEngine
    queue: list[int] = field(default_factory=list)
    answering: int | None = None
    since: float = 0.0
    prefills: list[tuple[float, float]] = field(default_factory=list)  # took, expected
    written: float = 0.0

    def pace(self) -> float:
        weight = [0.98**i for i in range(len(self.prefills))][::-1]
        taken = sum(w * min(took, 4 * due) for w, (took, due) in zip(weight, self.prefills, strict=True))
        due = sum(w * due for w, (_, due) in zip(weight, self.prefills, strict=True))
        return taken / due if taken else 1.0


class Checked(EarliestFirstToken):
    """The router; each of its choices is looked at by the rule."""

    name = "checked"

    def __init__(self, view: View, **options: float) -> None:
        super().__init__(view, **options)  # type: ignore[arg-type]
        self.lives = [self.born() for _ in range(view.workers)]
        self.ended: list[float] = []  # answers, in tokens
        self.known: dict[int, tuple[float, float, int]] = {}
        self.took_plain: dict[int, float] = {}
        self.means: list[float] = []
        self.compared = 0

    def born(self) -> Life:
        return Life(ReferenceEngine(self.view.tree, self.view.capacity, LeafLRU, 0, check_traits=False))

    def tokens_of(self, life: Life, now: float) -> float:
        costs, pace = self.view.costs, life.pace()
        mean = sum(self.ended) / len(self.ended) if self.ended else 0.0
        work = sum(self.known[r][0] + costs.output + self.known[r][1] * mean for r in life.queue)
        passed = max(0.0, now - life.since) / pace
        if life.answering is not None:
            token = self.known[life.answering][1]
            fixed = max(0.0, costs.output - passed)
            if token:
                work += how_long(self.ended, max(0.0, passed - costs.output) / token) * token
            return pace * (work + fixed)
        return pace * (work - min(passed, self.known[life.queue[0]][0])) if life.queue else 0.0

    def hit(self, w: int, node: int) -> int:
        return sum(u in self.lives[w].cache.cached for u in self.view.tree.path(node))

    def prefill_at(self, w: int, a: Arrival) -> float:
        hit = self.hit(w, a.node)
        return float(self.view.costs.prefill(hit, a.length - hit))

    def choose(self, arrival: Arrival) -> int:
        chosen = super().choose(arrival)
        up = self.up()
        busy = [bool(life.queue) or life.answering is not None for life in self.lives]
        recent = sum(self.means) / len(self.means) if self.means else 0.0
        fresh = max(1.0, sum(life.written for life in self.lives) / len(self.lives))
        price = self.thrift if all(busy[w] for w in up) else self.idle_thrift
        costs = self.view.costs

        def score(w: int) -> float:
            life, prefill, hit = self.lives[w], self.prefill_at(w, arrival), self.hit(w, arrival.node)
            missed = prefill - costs.fixed - costs.alpha_cached * hit
            wait = self.tokens_of(life, arrival.now) + self.margin * recent * busy[w]
            return wait + (life.pace() + price) * prefill + 0.02 * missed * life.written / fresh

        assert score(chosen) == pytest.approx(min(map(score, up)), rel=1e-9, abs=1e-9)
        self.compared += 1
        return chosen

    def on_dispatch(self, arrival: Arrival, worker: int) -> None:
        super().on_dispatch(arrival, worker)
        life, costs = self.lives[worker], self.view.costs
        prefill, missed = self.prefill_at(worker, arrival), len(self.view.tree.path(arrival.node))
        missed -= self.hit(worker, arrival.node)
        for each in self.lives:
            each.written *= max(0.0, 1 - missed / (self.view.workers * self.view.capacity))
        life.written += missed
        life.cache.serve(arrival.node)
        token = float(costs.decode + costs.context * arrival.length)
        self.known[arrival.request] = (prefill, token, arrival.length)
        mean = sum(self.ended) / len(self.ended) if self.ended else 0.0
        self.means.append(prefill + costs.output + token * mean)
        if not life.queue and life.answering is None:
            life.since = arrival.now
        life.queue.append(arrival.request)

    def on_first_token(self, request: int, worker: int, now: float) -> None:
        super().on_first_token(request, worker, now)
        life = self.lives[worker]
        assert life.queue.pop(0) == request
        self.took_plain[request] = max(0.0, now - life.since)
        life.answering, life.since = request, now

    def on_finish(self, done: Completion) -> None:
        pace = self.lives[done.worker].pace()
        super().on_finish(done)
        life, costs = self.lives[done.worker], self.view.costs
        _, token, length = self.known[done.request]
        if token:
            self.ended.append(max(0.0, (done.latency - done.ttft) / pace - costs.output) / token)
        expected = float(costs.prefill(done.hit, length - done.hit))
        life.prefills.append((self.took_plain[done.request], expected))
        life.answering, life.since = None, done.now

    def on_down(self, worker: int, lost: list[int], now: float) -> None:
        super().on_down(worker, lost, now)
        self.lives[worker] = self.born()


COSTS = (
    CostModel(0.1, 1.0, 0.5, 0.2, 0.01, 0.005, 0.25),
    CostModel(0.0, 1.0),
    CostModel(0.0, 0.5, 0.0, 0.1),
    CostModel(0.25, 1.0, 3.0),
)
STORIES = ("", "slow:0@20-200x3", "down:1@30-60", "down:0@10-40,slow:1@50-90x2", "clock@40+25,clock@90-30")


def world(seed: int) -> tuple[Trace, np.ndarray]:
    dice = SplitMix64(seed)
    n = 4 + dice.below(12)
    tree = PrefixTree.from_parents([v - 1 - dice.below(min(v, 4)) for v in range(1, n + 1)])
    requests = np.array([dice.below(n + 1) for _ in range(80)], np.int32)
    answers = np.array([dice.below(30) for _ in requests], np.int64)
    times = np.cumsum([dice.below(7) / 2 for _ in requests])
    return Trace(tree, requests, columns={"output_length": answers}), times


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize("seed", range(4))
def test_choices_are_those_of_the_rule(seed: int, story: str) -> None:
    trace, times = world(seed)
    made: list[Checked] = []

    def make(view: View) -> Checked:
        options = {} if seed % 2 else {"thrift": 1.0, "idle_thrift": 0.0, "margin": 0.25}
        made.append(Checked(view, **options))
        return made[-1]

    run = simulate(
        trace,
        2 + seed % 3,
        trace.tree.height + 1,
        RLT if seed % 2 else LeafLRU,
        make,
        costs=COSTS[seed % len(COSTS)],
        arrivals=times,
        incidents=parse_incidents(story) if story else parse_incidents("clock@0+0"),
        seed=seed,
    )
    assert made[0].compared == len(trace) + run.resent


def test_answers_are_as_long_as_the_longer_ones() -> None:
    seen: list[float] = []
    answers = Answers()
    dice = SplitMix64(3)
    for _ in range(50):
        probe = [0.0, 0.5, 1.0, 3.7, float(dice.below(500)), 2.0**21]
        assert answers.left(np.array(probe)) == pytest.approx([how_long(seen, x) for x in probe])
        seen.append(float(dice.below(400)))
        answers.learn(seen[-1])
    assert answers.mean == pytest.approx(sum(seen) / len(seen))


def test_where_all_is_known_the_wait_is_the_backlog() -> None:
    """Fixed answers and leaf-LRU caches leave nothing to guess."""
    trace, times = world(11)
    gaps: list[float] = []

    class Compared(EarliestFirstToken):
        name = "compared"
        omniscient = True

        def choose(self, arrival: Arrival) -> int:
            gaps.append(float(np.abs(self.wait(arrival.now) - self.view.true().backlog(arrival.now)).max()))
            return super().choose(arrival)

    simulate(trace, 3, 6, LeafLRU, Compared, costs=CostModel(0.0, 1.0, 2.0), arrivals=times)
    assert len(gaps) == len(trace)
    assert max(gaps) < 1e-9


def test_a_slow_worker_is_found_out() -> None:
    trace, times = world(12)
    made: list[EarliestFirstToken] = []

    def make(view: View) -> EarliestFirstToken:
        made.append(EarliestFirstToken(view))
        return made[-1]

    incidents = parse_incidents("slow:1@0-100000x3")
    simulate(trace, 2, 8, LeafLRU, make, costs=CostModel(0.0, 1.0), arrivals=times / 4, incidents=incidents)
    assert made[0].pace.tolist() == pytest.approx([1.0, 3.0])


@pytest.mark.parametrize("option", ["thrift", "idle_thrift", "margin"])
@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_options_out_of_range_are_one_clear_line(option: str, value: float) -> None:
    view = View(PrefixTree.from_parents([0]), 2, 1, np.array([0, 1]))
    with pytest.raises(InputError, match=r"is not between 0 and infinity"):
        partial(EarliestFirstToken, view)(**{option: value})
