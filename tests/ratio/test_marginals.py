"""Exact chances of being cached, against the kernel and against the beliefs of the exact solver."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given

from kvtheory.engine.exact import ExactEngine
from kvtheory.engine.kernel import replay
from kvtheory.errors import InputError
from kvtheory.model import Trace
from kvtheory.ratio.belief import Beliefs
from kvtheory.ratio.instance import Instance
from kvtheory.ratio.marginals import marginals, misses
from kvtheory.ratio.symmetry import Symmetry
from kvtheory.registry import policies
from kvtheory.report.grid import Played, draw_grid
from kvtheory.testing.strategies import traces

DRAWS = sorted(name for name, policy in policies().items() if policy.randomised())


def fits(trace: Trace, capacity: int) -> bool:
    return int(trace.depths.max(initial=0)) <= capacity


@pytest.mark.parametrize("name", sorted(set(policies()) - set(DRAWS)))
@given(played=traces(max_nodes=7, max_requests=20))
def test_without_draws_it_is_the_kernel(name: str, played: tuple[Trace, int]) -> None:
    trace, capacity = played
    if not fits(trace, capacity):
        return
    cached = marginals(trace, capacity, policies()[name])
    hit = replay(trace, capacity, policies()[name], 0).hit
    depth = trace.tree.depth
    expected = [int(depth[v] - depth[h]) for v, h in zip(trace.requests, hit, strict=True)]
    assert misses(trace.tree, trace.requests.tolist(), cached) == expected
    assert all(sum(chances[1:]) <= capacity for chances in cached)


@pytest.mark.parametrize("name", DRAWS)
@given(played=traces(max_nodes=6, max_requests=9))
def test_with_draws_it_is_the_belief(name: str, played: tuple[Trace, int]) -> None:
    trace, capacity = played
    if not fits(trace, capacity) or trace.tree.n < 2:
        return
    policy = policies()[name]
    game = Instance.of(trace.tree, capacity)
    beliefs = Beliefs(game, ExactEngine(trace.tree, capacity, policy), Symmetry(game, enabled=False))
    belief, expected = beliefs.start, []
    for v in trace.requests.tolist():
        missed, belief = beliefs.serve(belief, v)
        expected.append(missed)
    assert misses(trace.tree, trace.requests.tolist(), marginals(trace, capacity, policy)) == expected


def test_chances_are_frequencies() -> None:
    trace = Trace.from_parents([0, 0, 0, 0], [1, 2, 3, 4, 1, 2, 3])
    expected = sum(misses(trace.tree, trace.requests.tolist(), marginals(trace, 3, policies()["rlt"])))
    assert expected == 4 + Fraction(1) / 3 + Fraction(1) / 2 + 1
    found = [int((replay(trace, 3, policies()["rlt"], seed).hit == 0).sum()) for seed in range(400)]
    assert abs(sum(found) / len(found) - float(expected)) < 0.15


def test_the_picture_counts_what_it_shows() -> None:
    trace = Trace.from_parents([0, 0, 1], [1, 3, 2, 3])
    cached = marginals(trace, 2, policies()["lru"])
    figure = draw_grid(trace, [Played("lru", cached), Played("again", cached)])
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["lru: 4 misses", "again: 4 misses"]
    picture = figure.axes[0].images[0].get_array()
    assert picture.shape == (3, 4, 3)
    assert (
        len({tuple(picture[y, x].tolist()) for y in range(3) for x in range(4)}) == 4
    )  # hit, miss, held, not


@pytest.mark.parametrize("name", ["lru", "rlt"])
def test_a_prompt_longer_than_the_cache(name: str) -> None:
    with pytest.raises(InputError, match="longer than the capacity 2"):
        marginals(Trace.from_parents([0, 1, 2, 0], [3, 3, 4]), 2, policies()[name])
