"""The dispatching loop against the simulated cluster, in simulated time; and processes that die."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator

import numpy as np
import pytest
from fake_engines import Child, SimulatedFleet, cannot_start, dies_at_start

from gpu_validation.dispatch import dispatch
from gpu_validation.engine import Job
from gpu_validation.fleet import GPUS, EngineError, Engines, places
from gpu_validation.routed import OFFLINE, in_tokens, view_of
from kvtheory.engine.cluster import simulate
from kvtheory.errors import InputError, RouterError
from kvtheory.model import CostModel, Trace
from kvtheory.registry import policies, routers
from kvtheory.router import Arrival, Router
from kvtheory.sources import generate

CAPACITY, ENGINES, BLOCK = 40, 3, 16
MEASURED = CostModel(alpha_miss=1e-4, fixed=2e-3)
SEEING = sorted(name for name, router in routers().items() if not router.omniscient)


@pytest.fixture(scope="module")
def trace() -> Trace:
    return in_tokens(generate("gsp:groups=8,prompts=10,block=256,order=random,seed=3"), BLOCK)


@pytest.fixture(autouse=True)
def _nobody_is_left() -> Iterator[None]:
    yield
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("timed", [False, True])
@pytest.mark.parametrize("name", SEEING)
def test_in_simulated_time_the_loop_is_the_cluster(trace: Trace, name: str, timed: bool) -> None:
    """Same engines, hits and times, for every router that sees what a real one sees."""
    costs, seed = (MEASURED if timed else OFFLINE), 5
    arrivals = np.cumsum(np.random.default_rng(1).exponential(0.01, len(trace))) if timed else None
    policy = policies()["rlt"]
    expected = simulate(
        trace, ENGINES, CAPACITY, policy, routers()[name],
        costs=costs, arrivals=arrivals, unit="tokens", seconds=timed, seed=seed,
    )  # fmt: skip
    served, _ = trace.cut(CAPACITY)
    fleet = SimulatedFleet(served, ENGINES, CAPACITY, policy, costs, seed)
    router = routers()[name](view_of(trace, ENGINES, CAPACITY, costs, timed, seed))
    found = dispatch(trace, router, fleet, arrivals)
    assert found.engine.tolist() == expected.worker.tolist()
    assert found.cached.tolist() == expected.hit.tolist()
    assert 0 < found.cached.sum() < found.prompt.sum()
    ttft = expected.first - (expected.arrival if timed else expected.start)
    np.testing.assert_allclose(found.ttft, ttft, rtol=1e-9)
    assert router.outstanding.tolist() == [0] * ENGINES
    assert fleet.most > 1


def test_a_router_that_chooses_nobody(trace: Trace) -> None:
    class Nobody(Router):
        name = "nobody"

        def choose(self, arrival: Arrival) -> int:
            return ENGINES

    fleet = SimulatedFleet(trace, ENGINES, CAPACITY, policies()["lru"], OFFLINE, 0)
    with pytest.raises(RouterError, match="sends request 0 to engine 3"):
        dispatch(trace, Nobody(view_of(trace, ENGINES, CAPACITY, OFFLINE, False, 0)), fleet)


def test_processes_serve_and_die(trace: Trace) -> None:
    """Each has its environment; what it refuses, raises or dies of is one line, and none is left."""
    round_robin = routers()["round_robin"]
    jobs = [Job([3] * (i + 1)) for i in range(len(trace))]

    def serve(engines: Engines, jobs: list[Job]) -> list[int]:
        engines.load(jobs)
        router = round_robin(view_of(trace, 2, CAPACITY, OFFLINE, False, 0))
        return dispatch(trace, router, engines).prompt.tolist()

    with Engines([Child, Child], [{"FAKE_PLACE": "a"}, {"FAKE_PLACE": "b"}]) as engines:
        assert (engines.capacity, engines.vocabulary, engines.kind) == (7, 99, "Child")
        assert [status["place"] for status in engines.status() if status] == ["a", "b"]
        assert serve(engines, jobs) == [len(job.prompt) for job in jobs]
        assert engines.next(engines.now() + 0.01) is None
        with pytest.raises(InputError, match=r"^engine 0: no such policy$"):
            engines.switch("unknown", [0, 1])
    with pytest.raises(EngineError, match=r"^the process of engine 1 is gone \(exit code 7\)$"):  # noqa: SIM117
        with Engines([Child, Child], [{}, {}]) as engines:
            serve(engines, [*jobs[:5], Job([-1]), *jobs[6:]])
    with pytest.raises(EngineError, match=r"^engine 0: RuntimeError: out of$"):  # noqa: SIM117
        with Engines([Child, Child], [{}, {}]) as engines:
            serve(engines, [*jobs[:4], Job([-2]), *jobs[5:]])


def test_engines_that_do_not_start() -> None:
    with pytest.raises(EngineError, match=r"^engine 1: RuntimeError: no memory left$"):
        Engines([Child, cannot_start], [{}, {}])
    with pytest.raises(EngineError, match=r"engine 0 is gone \(exit code 3\)"):
        Engines([dies_at_start, Child], [{}, {}], one_by_one=True)


def test_places(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU each where there are enough, else equal shares of their memory."""
    monkeypatch.delenv(GPUS, raising=False)
    assert places(2, 4) == ([{GPUS: "0"}, {GPUS: "1"}], 0.9, False)
    assert places(3, 2) == ([{GPUS: "0"}, {GPUS: "1"}, {GPUS: "0"}], 0.45, True)
    monkeypatch.setenv(GPUS, "5,GPU-ab")
    assert places(2, 2) == ([{GPUS: "5"}, {GPUS: "GPU-ab"}], 0.9, False)
    assert places(2, 0)[1:] == (None, False)
