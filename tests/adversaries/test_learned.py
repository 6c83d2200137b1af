"""The learned adversary beats chance, repeats itself, and its committed curves are true."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections import defaultdict
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import adversaries.learned as learned
from kvtheory.engine.kernel import prepare
from kvtheory.engine.reference import ReferenceEngine
from kvtheory.errors import InputError
from kvtheory.model import Trace
from kvtheory.offline.belady import belady
from kvtheory.ratio.instance import Instance
from kvtheory.ratio.work_function import work_functions
from kvtheory.registry import policies
from kvtheory.shapes import parse_tree
from kvtheory.testing.instances import SmallOptimum

FOLDER = Path(__file__).parents[2] / "docs" / "_static" / "learned"
ROWS = [json.loads(line) for line in (FOLDER / "curves.jsonl").read_text(encoding="utf-8").splitlines()]
FIRST_UNSEEN = 1000


def misses(trace, hit):
    return trace.accesses - int(trace.tree.depth[hit].sum())


def ratio(tree, capacity, policy, requests, seeds=(0,)):
    """ALG and OPT, both summed over the seeds, by the kernel and Belady."""
    trace = Trace(tree, np.array(requests, dtype=np.int32))
    alg = sum(misses(trace, prepare(trace, capacity, policy, seed)().hit) for seed in seeds)
    return alg, len(seeds) * misses(trace, belady(trace, capacity).hit)


# --- the committed curves, without torch ------------------------------------------------------------------


def test_the_committed_file_is_whole():
    sums = dict(line.split()[::-1] for line in (FOLDER / "SHA256SUMS").read_text().splitlines())
    assert set(sums) == {"curves.jsonl"}
    assert hashlib.sha256((FOLDER / "curves.jsonl").read_bytes()).hexdigest() == sums["curves.jsonl"]


def test_every_committed_sequence_has_the_ratio_that_is_said():
    for row in ROWS:
        policy, count = policies()[row["policy"]], row["judging_seeds"]
        assert count == (256 if policy.randomised() else 1)
        seeds = range(FIRST_UNSEEN, FIRST_UNSEEN + count) if policy.randomised() else (0,)
        found = ratio(parse_tree(row["tree"]), row["capacity"], policy, row["requests"], seeds)
        assert list(found) == row["curve"][-1][1:]


def test_evaluations_are_equal_and_curves_rise():
    runs = defaultdict(list)
    for row in ROWS:
        case = (row["tree"], row["capacity"], row["policy"])
        runs[case].append((row["method"], row["seed"]))
        assert (row["length"], row["evaluations"]) == (ROWS[0]["length"], ROWS[0]["evaluations"])
        assert len(row["requests"]) == row["length"]
        played = [point[0] for point in row["curve"]]
        assert played == sorted(set(played))
        assert played[-1] <= row["evaluations"]
        if not policies()[row["policy"]].randomised():
            ratios = [Fraction(alg, opt) for _, alg, opt in row["curve"]]
            assert ratios == sorted(ratios)
    wanted = [(method, seed) for method in ("learned", "nodes", "leaves", "cycles") for seed in range(5)]
    assert all(sorted(run) == sorted(wanted) for run in runs.values())


def test_learned_beats_all_random_searches_on_three_policies_with_every_seed():
    learnt, chance = defaultdict(list), defaultdict(list)
    for row in ROWS:
        _, alg, opt = row["curve"][-1]
        side = learnt if row["method"] == "learned" else chance
        side[row["policy"], row["tree"]].append(Fraction(alg, opt))
    wins = {case[0] for case in learnt if min(learnt[case]) > max(chance[case])}
    assert len(wins) >= 3


# --- the search itself ------------------------------------------------------------------------------------


def test_search_without_torch_is_one_line(monkeypatch):
    monkeypatch.setattr(learned, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="field 'method': learned needs torch"):
        learned.search(parse_tree("star:3"), 2, policies()["lru"], length=5, evaluations=5, seed=0)


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


def test_search_repeats_itself_and_needs_its_seed(torch):
    tree, policy = parse_tree("comb:3"), policies()["rlt"]
    found = [learned.search(tree, 3, policy, length=30, evaluations=70, seed=seed) for seed in (4, 4, 5)]
    assert found[0] == found[1] != found[2]
    assert len(found[0]) == 30
    assert all(isinstance(v, int) and 1 <= v <= 6 and tree.depth[v] <= 3 for v in found[0])


@pytest.mark.parametrize(("field", "value"), [("length", 0), ("evaluations", -1)])
def test_search_refuses(torch, field, value):
    numbers = {"length": 5, "evaluations": 5, field: value}
    with pytest.raises(InputError, match=f"'{field}'"):
        learned.search(parse_tree("star:3"), 2, policies()["lru"], **numbers, seed=0)


@pytest.mark.parametrize(("tree", "capacity", "policy"), [("star:8", 7, "lru"), ("star:4", 3, "mru")])
def test_it_learns_what_chance_does_not_find(torch, tree, capacity, policy):
    from adversaries.learned.chance import KINDS, random_search
    from adversaries.learned.training import learn

    shape, how = parse_tree(tree), {"length": 100, "evaluations": 640, "seed": 1}
    ours = learn(shape, capacity, policies()[policy], **how)
    alg, opt = ratio(shape, capacity, policies()[policy], ours.requests)
    assert ours.ratio == pytest.approx(alg / opt)
    for kind in KINDS:
        other = random_search(shape, capacity, policies()[policy], kind=kind, **how)
        assert Fraction(*ratio(shape, capacity, policies()[policy], other.requests)) < Fraction(alg, opt)


@pytest.mark.parametrize("policy", ["lru", "rlt", "random"])
def test_what_the_adversary_sees(torch, policy):
    from adversaries.learned.arena import PRICES, Arena

    instance, seeds = Instance.of(parse_tree("0,1,1,0,4"), 3), (0, 1, 2, 3, 4)
    arena = Arena(instance, policies()[policy], 4, seeds)
    caches = [[ReferenceEngine(instance.tree, 3, policies()[policy], s) for s in seeds] for _ in range(4)]
    optimum, known, state = SmallOptimum(instance.parents[1:], 3), work_functions(instance), [0] * 4
    work = [optimum.start] * 4
    moves = torch.randint(5, (30, 4), generator=torch.Generator().manual_seed(2))
    paid, best, asked = [0.0] * 4, [0] * 4, [{} for _ in range(4)]
    for t, column in enumerate(moves):
        features = arena.features()
        for b in range(4):
            for r, v in enumerate(instance.requestable):
                path = instance.tree.path(v)
                held = [sum(u in cache.cached for cache in caches[b]) / 5 for u in path]
                missing, growth = len(path) - sum(held), optimum.step(work[b], v)[1]
                ago = t - asked[b].get(v, -20)
                wanted = [missing / 2, growth / 2, missing * (growth == 0) / 2, held[-1]]
                wanted += [ago / (ago + 5), float(growth > 0), len(path) / 2]
                assert features[b, r, [0, 1, 2, 4, 5, 6, 7]].tolist() == pytest.approx(wanted)
                value = known.value[state[b]]
                without = value[(instance.closed >> v - 1 & 1) == 0].min()
                assert float(features[b, r, 3]) == pytest.approx(min(without, PRICES) / PRICES)
        arena.play(column)
        for b, r in enumerate(column.tolist()):
            v = instance.requestable[r]
            asked[b][v] = t
            served = [cache.serve(v)[0] for cache in caches[b]]
            paid[b] += sum(int(instance.tree.depth[v] - instance.tree.depth[hit]) for hit in served) / 5
            state[b] = known.next[state[b], r]
            work[b], growth = optimum.step(work[b], v)
            best[b] += growth
    assert arena.alg.tolist() == pytest.approx(paid)
    assert arena.work.total.tolist() == best
    assert arena.ratios().tolist() == pytest.approx([a / o for a, o in zip(paid, best, strict=True)])


def test_gradient_of_the_reward_is_the_gradient_of_the_ratio(torch):
    from adversaries.learned.training import DISCOUNT, Episode, advantages

    reward = torch.tensor([[1.0, 3.0], [2.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    growth = torch.tensor([[1, 0], [0, 1], [1, 0]])
    nothing = torch.zeros(1)
    episode = Episode(nothing, nothing, reward, growth, nothing, nothing)
    assert episode.ratio == pytest.approx(7 / 3)
    net = (reward - 2 * growth).tolist()
    to_go = np.zeros((4, 2))
    for t in (2, 1, 0):
        to_go[t] = np.array(net[t]) + DISCOUNT * to_go[t + 1]
    centred = to_go[:3] - to_go[:3].mean(1, keepdims=True)
    assert advantages(episode, 2.0).numpy() == pytest.approx(centred / centred.std(), rel=1e-5)


def test_adam_is_torchs(torch):
    from adversaries.learned.training import DECAYS, RATE, Adam

    start = torch.tensor([1.0, -2.0, 0.5])
    ours, theirs = start.clone().requires_grad_(), start.clone().requires_grad_()
    mine = Adam([ours])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what torch says while it imports its compiler
        reference = torch.optim.Adam([theirs], lr=RATE, betas=DECAYS)
    for _ in range(20):
        mine.step(torch.autograd.grad((ours**4).sum() + ours.sum(), [ours]))
        reference.zero_grad()
        ((theirs**4).sum() + theirs.sum()).backward()
        reference.step()
        assert ours.tolist() == pytest.approx(theirs.tolist(), rel=1e-5)


def test_random_sequences_are_of_their_kind(torch):
    from adversaries.learned.chance import draw

    instance = Instance.of(parse_tree("comb:4"), 3)
    generator = torch.Generator().manual_seed(0)
    inner = {instance.parents[v] for v in instance.requestable}
    for kind in ("nodes", "leaves", "cycles"):
        drawn = draw(instance, kind, 200, 40, generator).tolist()
        asked = {v for row in drawn for v in row}
        assert asked == set(instance.requestable) - (inner if kind == "leaves" else set())
        periodic = [any(row[p:] == row[:-p] for p in range(1, 7)) for row in drawn]
        assert all(periodic) if kind == "cycles" else not any(periodic)
