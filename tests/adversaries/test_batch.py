"""The batch engine serves every lane as the reference engine serves its one, and its OPT is OPT."""

from __future__ import annotations

from fractions import Fraction
from math import sqrt

import numpy as np
import pytest

from adversaries.batch.layout import Layout
from kvtheory.engine.kernel import replay
from kvtheory.engine.reference import ReferenceEngine
from kvtheory.errors import InputError, PolicyError
from kvtheory.model import PrefixTree, Trace
from kvtheory.offline.belady import belady as one_belady
from kvtheory.policy import INTEGER, Column, Policy, Trait
from kvtheory.ratio.instance import Instance
from kvtheory.ratio.work_function import work_functions
from kvtheory.registry import policies
from kvtheory.rng import MASK64, SplitMix64
from kvtheory.shapes import parse_tree
from kvtheory.testing import instances as small
from kvtheory.testing.chances import expected_misses
from kvtheory.testing.mutants.policies import FalseFull, ReadsTheId, ReadsTheSize, UndeclaredPhases
from kvtheory.testing.probes import PROBES

SEEDS = (0, 7, (1 << 63) + 5)
LARGE = [(parse_tree(text), k) for text, k in (("star:9", 6), ("comb:8", 7), ("binary:4", 11), ("path:5", 4))]
FOREST = (PrefixTree.from_parents([max(0, v - 1 - v * v % 5) for v in range(1, 63)]), 17)


# --- without torch ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("tree", "capacity"), [*LARGE, FOREST])
def test_tables_against_the_tree(tree, capacity):
    layout = Layout.of(tree, capacity)
    for v in range(1, tree.n + 1):
        path = tree.path(v)
        assert layout.path[v] == sum(1 << u for u in path)
        assert layout.nodes[v].tolist() == [0, *path] + [0] * (tree.height - len(path))
        children = [u for u in range(1, tree.n + 1) if tree.parent[u] == v]
        assert layout.reach[v] == sum(1 << u for u in [v, *children])
    assert layout.path[0] == 0
    assert layout.bit[0] == layout.reach[0] == -1


def test_layout_refuses():
    with pytest.raises(InputError, match="63 nodes"):
        Layout.of(parse_tree("star:63"), 3)
    with pytest.raises(InputError, match="capacity 0"):
        Layout.of(parse_tree("star:3"), 0)
    layout = Layout.of(parse_tree("path:3"), 2)
    for wrong in ([4], [-1], [3]):
        with pytest.raises(InputError, match="requests"):
            layout.require_fits(np.array(wrong))
    layout.require_fits(np.array([0, 1, 2]))


# --- with torch -------------------------------------------------------------------------------------------


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


@pytest.fixture(params=["cpu", "cuda"])
def device(torch, request):
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    return request.param


class Segments(Policy):
    """Two segments with promotion: every construct that branches, nested; a division; the root's column."""

    name = "probe_segments"
    columns = {"hits": INTEGER, "segment": Column(0, 2), "last_use": INTEGER}
    traits = Trait.PHASES

    @staticmethod
    def on_insert(s, v, t):
        s.segment[v] = 1 if t > 3 and s.hits[0] % 3 else 0

    @staticmethod
    def on_access(s, v, t):
        s.last_use[v] = t
        s.hits[v] += 1
        s.hits[0] = s.hits[0] + 1
        bonus = 0
        while bonus < s.hits[v] and bonus < 4:
            bonus += 1
        if s.hits[v] > 2 or (not s.segment[v] and s.marked[v] == 0):
            if 12 // s.hits[v] >= bonus:
                s.segment[v] = min(2, s.segment[v] + 1)
        elif abs(-s.hits[v]) == 2:
            s.segment[v] ^= 1

    @staticmethod
    def on_evict(s, v, t):
        if s.segment[v]:
            s.hits[0] -= s.hits[v] // 2

    @staticmethod
    def rank(s, v):
        if s.segment[v] == 2:
            return (1, s.last_use[v] >> 1, s.hits[0] & 3)
        return (0, max(s.hits[v], s.marked[v]), -(s.last_use[v] % 5))


def sequences(tree, capacity, count, length, seed):
    """Pseudo-random requests, shape (count, length), empty prompts among them."""
    fits = np.flatnonzero(tree.depth <= capacity)
    return np.random.default_rng(seed).choice(fits, (count, length)).astype(np.int64)


def logged(torch, engine, requests):
    """Misses, shape (L, T), and victims, in order, of every lane."""
    victims = [[[] for _ in range(requests.shape[1])] for _ in requests]
    misses = []
    for t, column in enumerate(engine.tables.requests(requests).T):
        log = []
        misses.append(engine.serve(column, log))
        for lanes, chosen in log:
            for lane, victim in zip(lanes.tolist(), chosen.tolist(), strict=True):
                victims[lane][t].append(victim)
    return torch.stack(misses, 1).tolist() if misses else [], victims


def meaning(tree, capacity, policy, requests, seed):
    """The same of one lane, by the reference engine."""
    engine = ReferenceEngine(tree, capacity, policy, seed)
    hits, victims = engine.run(requests)
    return [int(tree.depth[v] - tree.depth[u]) for v, u in zip(requests, hits, strict=True)], victims


EVERY = {**policies(), **PROBES, "probe_segments": Segments}


@pytest.mark.parametrize("policy", EVERY.values(), ids=EVERY)
def test_victim_for_victim_the_reference_on_the_corpus(torch, policy):
    from adversaries.batch.engine import BatchEngine

    for instance in small.corpus()[:40]:
        engine = BatchEngine(instance.tree, instance.capacity, policy, SEEDS)
        requests = np.array([instance.requests] * len(SEEDS), dtype=np.int64)
        misses, victims = logged(torch, engine, requests)
        for lane, seed in enumerate(SEEDS):
            wanted = meaning(instance.tree, instance.capacity, policy, instance.requests, seed)
            assert ((misses[lane] if misses else []), victims[lane]) == wanted, instance


@pytest.mark.parametrize("policy", EVERY.values(), ids=EVERY)
def test_lanes_with_sequences_of_their_own(torch, device, policy):
    from adversaries.batch.engine import BatchEngine

    for number, (tree, capacity) in enumerate([*LARGE, FOREST]):
        requests = sequences(tree, capacity, 8, 40, number)
        seeds = [1000 * number + lane for lane in range(8)]
        misses, victims = logged(torch, BatchEngine(tree, capacity, policy, seeds, device), requests)
        for lane, seed in enumerate(seeds):
            assert (misses[lane], victims[lane]) == meaning(tree, capacity, policy, requests[lane], seed)


@pytest.mark.parametrize("name", ["lru", "fifo", "rlt"])
def test_twenty_thousand_lanes_against_the_kernel(torch, name):
    from adversaries.batch.score import misses

    tree, capacity = parse_tree("comb:6"), 5
    requests = sequences(tree, capacity, 20_000, 12, 5)
    found = misses(tree, capacity, policies()[name], torch.as_tensor(requests), (3,))
    assert found.shape == (20_000, 1)
    for lane in range(0, 20_000, 97):
        trace = Trace(tree, requests[lane].astype(np.int32))
        hit = replay(trace, capacity, policies()[name], 3).hit
        assert int(found[lane, 0]) == trace.accesses - int(tree.depth[hit].sum())


@pytest.mark.parametrize("name", ["rlt", "random", "bucketing"])
def test_mean_over_seeds_against_the_exact_expectation(torch, name):
    from adversaries.batch.score import misses

    case = small.Instance(small.star(5), 3, (1, 2, 3, 4, 5, 1, 2, 3, 4))
    policy, seeds = policies()[name], 20_000
    exact = expected_misses(ReferenceEngine(case.tree, case.capacity, policy), case.requests)
    found = misses(case.tree, case.capacity, policy, torch.tensor([case.requests]), range(seeds))[0].double()
    assert isinstance(exact, Fraction)
    assert exact.denominator > 1
    assert abs(float(found.mean()) - float(exact)) < 4 * float(found.std()) / sqrt(seeds)


def test_generators_are_splitmix(torch, device):
    from adversaries.batch.words import Generators, popcount, signed

    seeds = [0, 1, -1, 1 << 63, MASK64, 12345678901234567890]
    lanes = torch.arange(len(seeds), device=device)
    ours, plain = Generators(seeds, torch.device(device)), [SplitMix64(seed) for seed in seeds]
    for _ in range(50):
        assert ours.next(lanes).tolist() == [signed(one.next()) for one in plain]
    for bound in (1, 2, 3, 5, 62, 1 << 40, (1 << 62) + 1):
        bounds = torch.full((len(seeds),), bound, device=device)
        for _ in range(20):
            assert ours.below(lanes, bounds).tolist() == [one.below(bound) for one in plain]
    words = [0, 1, (1 << 63) - 1, 1 << 62, *(plain[0].next() >> 1 for _ in range(200))]
    assert popcount(torch.tensor(words)).tolist() == [word.bit_count() for word in words]


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        (ReadsTheId, "integer"),
        (ReadsTheSize, "many lanes"),
        (UndeclaredPhases, "'marked' without declaring"),
        (FalseFull, "declares FULL"),
    ],
)
def test_hooks_that_cannot_be_followed(torch, policy, said):
    from adversaries.batch.engine import BatchEngine

    engine = BatchEngine(parse_tree("star:4"), 2, policy, range(6))
    requests = np.array([[1, 2, 3, 4, 1, 2, 3]] * 6, dtype=np.int64)
    with pytest.raises(PolicyError, match=said):
        logged(torch, engine, requests)


@pytest.mark.parametrize(("tree", "capacity"), [*LARGE, FOREST])
def test_optimum_against_belady_one_by_one(torch, device, tree, capacity):
    from adversaries.batch.optimum import belady
    from adversaries.batch.score import optima

    requests = sequences(tree, capacity, 60, 50, 11)
    wanted = []
    for row in requests:
        trace = Trace(tree, row.astype(np.int32))
        wanted.append(trace.accesses - int(tree.depth[one_belady(trace, capacity).hit].sum()))
    assert belady(tree, capacity, torch.as_tensor(requests), device).tolist() == wanted
    assert optima(tree, capacity, torch.as_tensor(requests), device).tolist() == wanted
    with pytest.raises(InputError, match="requests"):
        belady(tree, capacity, torch.full((1, 1), tree.n + 1))


@pytest.mark.parametrize(("tree", "capacity"), LARGE)
def test_work_functions_against_belady_after_every_request(torch, tree, capacity):
    from adversaries.batch.optimum import WorkFunctions, belady

    requests = torch.as_tensor(sequences(tree, capacity, 12, 25, 3))
    instance = Instance.of(tree, capacity)
    work = WorkFunctions(instance, 12)
    for t in range(requests.shape[1]):
        before, offered = work.total.clone(), work.increases()
        grown = work.serve(requests[:, t])
        for lane, v in enumerate(requests[:, t].tolist()):
            if v:
                assert int(offered[lane, instance.requestable.index(v)]) == int(grown[lane])
        assert torch.equal(work.total, before + grown)
        assert torch.equal(work.total, belady(tree, capacity, requests[:, : t + 1]))


@pytest.mark.parametrize("parents", [(0, 1, 1, 0), (0, 0, 1, 2, 2), (0, 1, 2, 0, 4)])
def test_work_functions_against_the_automaton(torch, parents):
    from adversaries.batch.optimum import WorkFunctions

    instance = Instance.of(PrefixTree.from_parents(parents), 3)
    known = work_functions(instance)
    requests = sequences(instance.tree, 3, 10, 40, 9)
    requests[requests == 0] = 1
    work, state = WorkFunctions(instance, 10), [0] * 10
    for t in range(requests.shape[1]):
        work.serve(torch.as_tensor(requests[:, t]))
        prices = work.prices()
        for lane in range(10):
            state[lane] = int(known.next[state[lane], instance.requestable.index(requests[lane, t])])
            value = known.value[state[lane]]
            assert work.value[:, lane].tolist() == value.tolist()
            for i, v in enumerate(instance.requestable):
                without = [w for w, mask in zip(value, instance.closed, strict=True) if not mask >> v - 1 & 1]
                assert int(prices[lane, i]) == min(without)
