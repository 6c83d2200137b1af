"""LBGR's terms, each against what it is said to be: a linear base, a decaying load, least squares."""

from __future__ import annotations

import numpy as np
import pytest

from kvtheory.model import PrefixTree
from kvtheory.rng import SplitMix64
from kvtheory.router import Arrival, Completion, View
from kvtheory.routers.lbgr import LBGR

TREE = PrefixTree.from_parents([0, 1, 2, 3, 0, 5, 6, 7])  # two chains of four
ABOVE = TREE.depth.astype(np.int64)


def made(workers: int = 2, millisecond: float = 1.0, **options: object) -> LBGR:
    view = View(TREE, workers, 8, ABOVE, millisecond=millisecond)
    return LBGR(view, **options)  # type: ignore[arg-type]


def send(router: LBGR, request: int, node: int, now: float, length: int | None = None) -> int:
    arrival = Arrival(request, node, int(ABOVE[node]) if length is None else length, 0, now)
    worker = router.choose(arrival)
    router.on_dispatch(arrival, worker)
    return worker


def finish(router: LBGR, request: int, worker: int, now: float, latency: float) -> None:
    router.on_finish(Completion(request, worker, now, latency, latency, 0))


@pytest.mark.parametrize("millisecond", [1.0, 0.001, 7.0])
def test_the_load_loses_a_32nd_every_20_ms(millisecond: float) -> None:
    router = made(1, millisecond)
    send(router, 0, 4, 0.0)
    assert router.load[0] == 4 * millisecond
    for ticks, now in ((0, 19.9), (1, 20.0), (1, 39.9), (2, 40.0), (50, 1000.0)):
        router.choose(Arrival(1, 4, 4, 0, now * millisecond * (1 + 1e-12)))
        assert router.load[0] == pytest.approx(4 * millisecond * (31 / 32) ** ticks, rel=1e-12)


def test_a_completion_takes_what_is_left_of_its_share() -> None:
    router = made(1)
    send(router, 0, 4, 0.0)
    send(router, 1, 8, 100.0)
    assert router.load[0] == pytest.approx(4 * (31 / 32) ** 5 + 4)
    finish(router, 0, 0, 200.0, 200.0)
    assert router.load[0] == pytest.approx(4 * (31 / 32) ** 5)  # the other's share, five ticks old
    finish(router, 1, 0, 300.0, 200.0)
    assert router.load[0] == pytest.approx(0.0, abs=1e-12)


def test_a_clock_that_is_set_back_decays_nothing_and_inflates_no_share() -> None:
    router = made(1)
    send(router, 0, 4, 1000.0)
    router.choose(Arrival(9, 4, 4, 0, 200.0))
    assert router.load[0] == 4.0
    router.choose(Arrival(9, 4, 4, 0, 240.0))
    assert router.load[0] == pytest.approx(4 * (31 / 32) ** 2)
    send(router, 1, 8, 240.0)
    finish(router, 0, 0, 240.0, 5.0)
    assert router.load[0] == pytest.approx(4.0)


@pytest.mark.parametrize(
    ("options", "base"),
    [
        ({}, 2.0),
        ({"affinity": False}, 4.0),
        ({"slope_cached": 0.5, "intercept": 10.0}, 13.0),
        ({"slope_uncached": 0.1}, 1.0),  # no less than 1 ms
    ],
)
def test_the_base_is_linear_in_cached_and_uncached(options: dict[str, object], base: float) -> None:
    router = made(1, residual=False, **options)
    send(router, 0, 2, 0.0)
    router.choose(Arrival(1, 4, 4, 0, 0.0))
    assert router.base[0] == base


def test_terms_that_are_off_are_not_there() -> None:
    router = made(2, load=False, residual=False)
    assert [send(router, t, 0, 0.0, length=5) for t in range(4)] == [0, 0, 0, 0]
    finish(router, 0, 0, 50.0, 1000.0)
    assert router.residual.tolist() == router.load.tolist() == [0.0, 0.0]
    router = made(1, decay=False)
    send(router, 0, 4, 0.0)
    router.choose(Arrival(1, 4, 4, 0, 1e6))
    assert router.load[0] == 4.0


def targets(count: int) -> list[tuple[float, float]]:
    dice = SplitMix64(5)
    return [(float(20 * t), 3.0 + dice.below(400) / 10) for t in range(count)]


def test_the_bias_is_least_squares_with_forgetting() -> None:
    """The minimiser of sum 0.95^(n-i) (y_i - b)^2 + 0.95^n b^2 / 1e6, in closed form."""
    router = made(1, load=False)
    seen = []
    for t, (now, latency) in enumerate(targets(40)):
        send(router, t, 0, now, length=2)
        finish(router, t, 0, now, latency)
        seen.append(max(1.0, latency - 2.0))
        n = len(seen)
        weights = [0.95 ** (n - 1 - i) for i in range(n)]
        expected = sum(w * y for w, y in zip(weights, seen, strict=True)) / (sum(weights) + 0.95**n / 1e6)
        assert router.residual[0] == pytest.approx(expected, rel=1e-9)


def test_all_features_are_weighted_least_squares() -> None:
    router = made(1, features="all")
    rows, seen, flying = [], [], []
    dice = SplitMix64(9)
    for t, (now, latency) in enumerate(targets(60)):
        node = dice.below(9)
        router.choose(Arrival(t, node, int(ABOVE[node]) + dice.below(3), 0, now))
        length = int(ABOVE[node]) + dice.below(4)
        cached = int(ABOVE[router.index.match(node)[0]])
        arrival = Arrival(t, node, length, 0, now)
        router.choose(arrival)
        row, base = [1.0, cached, length - cached, float(router.load[0])], float(router.base[0])
        router.on_dispatch(arrival, 0)
        flying.append((t, row, base, latency))
        if len(flying) > dice.below(4):
            done, row, base, took = flying.pop(0)
            rows.append(row)
            seen.append(max(1.0, took - base - row[3]))
            finish(router, done, 0, now, took)
    n = len(rows)
    weights = np.sqrt(0.95 ** np.arange(n - 1, -1, -1.0))
    prior = np.sqrt(0.95**n / 1e6) * np.eye(4)
    design = np.vstack([np.array(rows) * weights[:, None], prior])
    expected = np.linalg.lstsq(design, np.concatenate([np.array(seen) * weights, np.zeros(4)]), rcond=None)[0]
    assert router.theta[0] == pytest.approx(expected, rel=1e-5, abs=1e-5)
    probe = Arrival(99, 3, 3, 0, targets(60)[-1][0])
    router.choose(probe)
    cached = int(ABOVE[router.index.match(3)[0]])
    assert router.residual[0] == pytest.approx(expected @ [1.0, cached, 3 - cached, router.load[0]], rel=1e-4)


def test_a_worker_that_died_starts_from_nothing() -> None:
    router = made(2)
    where = [send(router, t, 4 * (1 + t % 2), float(t)) for t in range(6)]
    assert set(where) == {0, 1}
    done = where.index(0)
    finish(router, done, 0, 30.0, 500.0)
    lost = [t for t in range(6) if where[t] == 0 and t != done]
    router.on_down(0, lost, 31.0)
    assert (router.load[0], router.residual[0], router.outstanding[0]) == (0.0, 0.0, 0)
    assert router.index.match(4)[0] == router.index.match(8)[0] == 0
    assert router.covariance[0].tolist() == [[1e6]]
    assert sorted(router.sent) == [t for t in range(6) if where[t] == 1]
