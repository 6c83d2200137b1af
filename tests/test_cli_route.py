"""`kvtheory route`: words, JSON and exit codes; the numbers against other ways to them."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest

from kvtheory.cli import run
from kvtheory.engine.presets import LENGTHS, PRESETS, costs_of, fit_requests, preset_costs
from kvtheory.errors import InputError
from kvtheory.model import CostModel

SMALL = "cyclic:prompts=5,requests=12"
CONTRACT = (
    "router policy hit_rate makespan ratio ci95 finish_s mean_latency_s p95_latency_s mean_ttft_s p95_ttft_s "
    "throughput_rps queueing_s balance seeds loads resent"
)


def route(capsys, source, *arguments):
    code = run(["route", source, "--json", "-", *arguments])
    return code, json.loads(capsys.readouterr().out)


def test_json_is_the_contract(capsys):
    code, found = route(
        capsys, SMALL, "--workers", "2", "--capacity", "2", "--routers", "round_robin", "--opt"
    )
    assert code == 0
    head = "schema source requests workers capacity unit arrivals warmup together cut_requests runs opt"
    assert list(found) == head.split()
    assert [list(run) for run in found["runs"]] == [CONTRACT.split()] * 2
    assert [run["policy"] for run in found["runs"]] == ["lru", "rlt"]
    assert found["opt"] == {"makespan": 3, "lower_bound": 3, "gap": 0.0, "optimal": True}
    # each worker gets prompts 1, 3, 5, 2, 4 in a cycle and has room for two: it never hits
    assert (found["runs"][0]["hit_rate"], found["runs"][0]["makespan"], found["runs"][0]["ratio"]) == (
        0,
        6,
        2,
    )
    assert found["runs"][0]["finish_s"] is None


def test_costs_are_exact_fractions(capsys):
    _, found = route(
        capsys,
        SMALL,
        *("--workers", "2", "--capacity", "5", "--routers", "round_robin", "--policies", "lru"),
        *("--alpha-cached", "1/3", "--alpha-miss", "0.5", "--output-cost", "1"),
    )
    # six requests each, over all five prompts: five misses, one hit
    assert found["runs"][0]["makespan"] == str(5 * Fraction(1, 2) + Fraction(1, 3) + 6)
    assert found["opt"] is None
    assert found["runs"][0]["ratio"] is None


def test_a_large_instance_gets_a_lower_bound(capsys):
    code, found = route(
        capsys,
        "cyclic:prompts=5,requests=100",
        *("--workers", "1", "--capacity", "2", "--routers", "round_robin", "--policies", "lru", "--opt"),
    )
    assert code == 0
    assert found["opt"]["makespan"] is None
    assert found["opt"]["gap"] is None
    # with one worker the bound is Belady's: five first misses, then three in every four requests
    assert found["opt"]["lower_bound"] == 5 + round((100 - 5) * 3 / 4)
    assert found["runs"][0]["ratio"] == pytest.approx(100 / found["opt"]["lower_bound"])


def test_random_runs_carry_an_interval_that_is_over_seeds(capsys):
    arguments = ("--workers", "2", "--capacity", "3", "--routers", "greedy", "--policies", "rlt", "--opt")
    _, found = route(capsys, "cyclic:prompts=7,requests=40", *arguments, "--seeds", "6")
    one = found["runs"][0]
    assert one["seeds"] == 6
    low, high = one["ci95"]
    assert low < one["ratio"] < high
    _, again = route(capsys, "cyclic:prompts=7,requests=40", *arguments, "--seeds", "6")
    assert again == found


def test_seconds_with_a_preset(capsys, tmp_path):
    plot = tmp_path / "load.svg"
    _, found = route(
        capsys,
        "chat:sessions=30,block=64,seed=2",
        *("--workers", "3", "--capacity", "kv", "--preset", "llama8b_h100", "--routers", "lbgr"),
        *("--arrivals", "trace", "--warmup", "0.5", "--plot", str(plot)),
    )
    assert found["capacity"] == PRESETS["llama8b_h100"].kv_tokens // 64
    assert found["unit"] == "tokens"
    one = found["runs"][0]
    assert 0 < one["mean_ttft_s"] <= one["p95_ttft_s"]
    assert one["mean_ttft_s"] < one["mean_latency_s"]
    assert plot.read_text().startswith("<?xml")


def test_workers_that_batch(capsys):
    """At equal work, first tokens come sooner: they do not wait for whole answers of earlier requests."""
    source = "chat:sessions=20,block=64,seed=2,reply=400"
    common = ("--workers", "1", "--capacity", "kv", "--preset", "llama8b_h100", "--routers", "round_robin")
    _, alone = route(capsys, source, *common, "--policies", "lru")
    _, batched = route(capsys, source, *common, "--policies", "lru", "--together", "4", "--budget", "0")
    assert (alone["together"], batched["together"]) == (1, 4)
    assert batched["runs"][0]["mean_ttft_s"] < alone["runs"][0]["mean_ttft_s"]
    assert batched["runs"][0]["makespan"] == pytest.approx(alone["runs"][0]["makespan"], rel=0.1)


def test_a_dead_worker_is_reported(capsys):
    _, found = route(
        capsys,
        "cyclic:prompts=5,requests=100",
        *("--workers", "2", "--capacity", "2", "--routers", "round_robin", "--policies", "lru"),
        *("--arrivals", "poisson:1", "--incidents", "down:1@10-40,slow:0@20-30x2,clock@50+10"),
    )
    assert found["runs"][0]["resent"] >= 0
    assert sum(found["runs"][0]["loads"]) == 100 - round(100 * found["runs"][0]["hit_rate"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--workers", "0"], "at least one"),
        (["--routers", "lgbr"], "did you mean 'lbgr'"),
        (["--routers", "lbgr:residual=maybe"], "residual"),
        (["--policies", "lruu"], "did you mean 'lru'"),
        (["--capacity", "0"], "not positive"),
        (["--capacity", "2,3"], "one capacity"),
        (["--capacity", "kv"], "named preset"),
        (["--alpha-miss", "-1"], "no cost"),
        (["--alpha-cached", "1/0"], "no cost"),
        (["--alpha-cached", "2"], "more than a miss"),
        (["--arrivals", "sometimes"], "not zero, trace"),
        (["--arrivals", "trace"], "no timestamps"),
        (["--preset", "llama9b"], "no preset"),
        (["--preset", "llama8b_h100", "--alpha-miss", "1"], "its own costs"),
        (["--preset", "llama8b_h100", "--unit", "nodes"], "per token"),
        (["--preset", "llama8b_h100", "--opt"], "exact costs"),
        (["--incidents", "down:9@1-2"], "no worker 9"),
        (["--incidents", "down:0@1-2", "--opt"], "neither incidents"),
        (["--seeds", "0"], "not positive"),
        (["--together", "0"], "at least one"),
        (["--together", "8", "--budget", "4"], "tokens a step"),
        (["--step", "1"], "have no steps"),
        (["--warmup", "1"], "not in [0, 1)"),
    ],
)
def test_bad_input_is_one_line(capsys, arguments, words):
    given = ["--workers", "2", "--capacity", "2", "--routers", "round_robin", *arguments]
    assert run(["route", SMALL, *given]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert words in err


@pytest.mark.parametrize("name", [n for n, preset in PRESETS.items() if preset.slower == 1])
def test_a_presets_costs_give_back_what_was_measured(name):
    """Within 9 % at every pair of lengths that was published."""
    costs = preset_costs(name)
    for (prompt, answer), throughput in zip(LENGTHS, PRESETS[name].throughput, strict=True):
        assert costs.cost(0, prompt, answer) == pytest.approx(answer / throughput, rel=0.09)


def test_a_fit_finds_the_costs_that_made_its_rows(tmp_path):
    true = CostModel(2e-6, 4e-5, attention=3e-9, fixed=0.01)
    dice = np.random.default_rng(0)
    hit, miss = dice.integers(0, 4000, 40), dice.integers(1, 4000, 40)
    ttft = np.array([float(true.prefill(int(h), int(m))) for h, m in zip(hit, miss, strict=True)])
    found = fit_requests(hit.astype(float), miss.astype(float), ttft)
    for name in ("alpha_cached", "alpha_miss", "attention", "fixed"):
        assert getattr(found, name) == pytest.approx(getattr(true, name), rel=1e-6)
    rows = tmp_path / "rows.json"
    rows.write_text(json.dumps([[int(h), int(m), t] for h, m, t in zip(hit, miss, ttft, strict=True)]))
    assert costs_of(str(rows)) == found


@pytest.mark.parametrize(
    "text", ["", "{}", "[[1,2]]", "[[1,2,true]]", "[[1,2,0.5],[1,2,-1]]", "[[1,2,0.1]]", "[[1,2,NaN]]"]
)
def test_rows_that_are_none(tmp_path, text):
    file = tmp_path / "rows.json"
    file.write_text(text)
    with pytest.raises(InputError, match=r"rows\.json"):
        costs_of(str(file))
