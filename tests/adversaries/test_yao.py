"""Random leaves of a widest closed set: every policy near H_(W-1), as stated, in the mean."""

import json

import numpy as np
import pytest

from adversaries.yao import expected, yao
from kvtheory.cli import run
from kvtheory.engine.kernel import replay
from kvtheory.offline.belady import belady
from kvtheory.ratio.instance import Instance
from kvtheory.ratio.minimax_adversary import uniform
from kvtheory.ratio.work_function import work_functions
from kvtheory.registry import policies
from kvtheory.shapes import parse_tree
from kvtheory.width import harmonic, width

SEEDS = 64


def misses(trace, hit):
    return int((trace.depths - trace.tree.depth[hit]).sum())


@pytest.mark.parametrize(("k", "tree"), [(8, "star"), (7, "comb:6"), (9, "binary:4")])
def test_every_policy_and_opt_within_four_standard_errors(k, tree):
    stated = expected(k, tree, 1500)
    traces = [yao(k=k, tree=tree, requests=1500, seed=seed) for seed in range(SEEDS)]
    opt = np.array([misses(trace, belady(trace, k).hit) for trace in traces])
    error = opt.std(ddof=1) / SEEDS**0.5
    assert 0 < error < 0.02 * opt.mean()
    assert abs(opt.mean() - float(stated.opt)) < 4 * error
    for policy in policies().values():
        spent = np.array([misses(t, replay(t, k, policy, s).hit) for s, t in enumerate(traces)])
        error = spent.std(ddof=1) / SEEDS**0.5
        assert 0 < error < 0.02 * spent.mean()
        assert abs(spent.mean() - float(stated.misses)) < 4 * error


@pytest.mark.parametrize(("k", "tree"), [(3, "star:4"), (4, "0,1,0,3,0,5"), (3, "comb:3"), (4, "binary:2")])
def test_the_long_run_is_that_of_the_game(k, tree):
    """What a request costs in the long run: the adversary of kvtheory.ratio solves OPT's Markov chain."""
    game = Instance.of(parse_tree(tree), k)
    near, far = expected(k, tree, 200), expected(k, tree, 260)
    W = width(game.tree, k).W
    adversary = uniform(work_functions(game), tuple(np.unique(yao(k=k, tree=tree, requests=500).requests)))
    assert adversary.ratio == far.limit == harmonic(W - 1)
    assert abs((far.misses - near.misses) / 60 - adversary.gain) < 1e-12
    assert abs((far.opt - near.opt) / 60 - adversary.opt) < 1e-12


def test_it_asks_for_leaves_uniformly():
    trace = yao(k=8, requests=90_000, seed=2)
    counts = np.bincount(trace.requests, minlength=10)[1:]
    assert float(((counts - 10_000) ** 2 / 10_000).sum()) < 26.1  # the 99.9 % point at 8 degrees of freedom
    pairs = np.bincount(trace.requests[:-1] * 10 + trace.requests[1:], minlength=100).reshape(10, 10)[1:, 1:]
    seen = float(((pairs - 90_000 / 81) ** 2 / (90_000 / 81)).sum())
    assert seen < 124.8  # at 80 degrees of freedom


def test_star_is_short_for_one_leaf_more_than_fits():
    trace = yao(k=5, requests=3)
    assert trace.source == "yao:k=5,tree=star:6,requests=3,seed=0"


def test_on_the_command_line(capsys):
    command = ["ratio", "yao:k=8,requests=20000", "--capacity", "8", "--policies", "all", "--json", "-"]
    assert run(command) == 0
    found = json.loads(capsys.readouterr().out)["runs"][0]
    for policy in found["policies"]:
        assert abs(policy["ratio"] - float(harmonic(8))) < 0.2
