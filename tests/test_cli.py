"""The command line: words, JSON and exit codes are a contract."""

import json
from pathlib import Path

import numba
import pytest
from profiles import whole_trace

from kvtheory.cli import run

REAL = Path(__file__).parents[2] / "shared" / "traces" / "mooncake_conversation.jsonl"
SMALL = "cyclic:prompts=5,requests=40"


def ok(capsys, *arguments):
    assert run(list(arguments)) == 0
    return capsys.readouterr().out


def refused(capsys, *arguments):
    """The one line of an exit with code 2; nothing on stdout."""
    assert run(list(arguments)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("kvtheory: ")
    return err


def test_ratio_json_is_the_contract(capsys):
    found = json.loads(
        ok(
            capsys,
            "ratio",
            SMALL,
            "--capacity",
            "4,60%",
            "--policies",
            "lru,rlt",
            "--seeds",
            "3",
            "--json",
            "-",
        )
    )
    keys = "schema source requests accesses nodes block_tokens ceiling_hit_rate warmup measure bypass runs"
    assert list(found) == keys.split()
    assert (found["requests"], found["accesses"], found["nodes"]) == (40, 40, 5)
    assert found["ceiling_hit_rate"] == 1 - 5 / 40
    assert [item["capacity"] for item in found["runs"]] == [4, 3]
    first = found["runs"][0]
    assert list(first) == ["capacity", "cut_requests", "W", "W_R", "opt", "policies"]
    assert first["W"] == first["W_R"] == 5
    # k + 1 prompts in a cycle: OPT misses k + 1 at first, then one in k
    assert first["opt"]["misses"] == 5 + (40 - 5) // 4
    assert list(first["opt"]) == ["misses", "hit_rate", "method", "seconds"]
    lru, rlt = first["policies"]
    assert list(lru) == ["name", "misses", "hit_rate", "ratio", "ci95", "bound", "seeds", "seconds"]
    assert (lru["misses"], lru["ci95"], lru["bound"], lru["seeds"]) == (40, None, 4.0, 1)
    assert rlt["seeds"] == 3
    assert rlt["ci95"][0] <= rlt["ratio"] <= rlt["ci95"][1]
    assert rlt["bound"] == pytest.approx(4 * (1 + 1 / 2 + 1 / 3 + 1 / 4))


def test_ratio_repeats_bit_for_bit(capsys):
    arguments = (
        "ratio",
        f"zipf:requests={40 if numba.config.DISABLE_JIT else 500}",
        "--capacity",
        "5%",
        "--policies",
        "all",
        "--seeds",
        "2",
        "--json",
        "-",
    )
    runs = [json.loads(ok(capsys, *arguments)) for _ in range(2)]
    for found in runs:
        for policy in found["runs"][0]["policies"]:
            del policy["seconds"]
        del found["runs"][0]["opt"]["seconds"]
    assert runs[0] == runs[1]


def test_ratio_prints_a_table_and_writes_its_files(capsys, tmp_path):
    names = [tmp_path / name for name in ("r.json", "p.svg", "h.html")]
    out = ok(
        capsys,
        *("ratio", SMALL, "--capacity", "4", "--policies", "lru,random"),
        *("--json", str(names[0]), "--plot", str(names[1]), "--html", str(names[2])),
    )
    assert "ratio to OPT" in out
    assert "random" in out
    assert json.loads(names[0].read_text())["requests"] == 40
    assert names[1].read_text().startswith("<?xml")
    page = names[2].read_text()
    assert "<svg" in page
    assert "kvtheory" in page
    assert "http://" not in page.replace("http://www.w3.org", "").replace("http://purl.org", "").replace(
        "http://creativecommons.org", ""
    )
    assert sorted(tmp_path.iterdir()) == sorted(names)


@pytest.mark.parametrize("method", ["belady", "brute"])
@pytest.mark.parametrize("bypass", [False, True])
def test_opt_json_is_the_contract(capsys, method, bypass):
    flags = ["--bypass"] if bypass else []
    arguments = ["opt", SMALL, "--capacity", "4", "--method", method, *flags, "--json", "-"]
    found = json.loads(ok(capsys, *arguments))
    keys = "schema capacity method cost value lower_bound gap status optimal misses hit_rate"
    keys += " cut_requests seconds"
    assert list(found) == keys.split()
    # room for four of five prompts: after the first round one miss in four, with bypass one in five
    assert found["value"] == found["lower_bound"] == found["misses"] == (12 if bypass else 13)
    assert found["optimal"] is True


def test_a_path_longer_than_the_cache_is_cut_and_reported(capsys):
    source = "cyclic:prompts=3,blocks=4,requests=9"
    found = json.loads(ok(capsys, "ratio", source, "--capacity", "2", "--policies", "lru", "--json", "-"))
    assert found["runs"][0]["cut_requests"] == 9
    assert found["runs"][0]["policies"][0]["misses"] == 36
    found = json.loads(ok(capsys, "opt", source, "--capacity", "2", "--json", "-"))
    assert (found["cut_requests"], found["value"]) == (9, 36)


def test_workload_written_and_read_again_gives_the_same_result(capsys, tmp_path):
    file = tmp_path / "w.jsonl.gz"
    spec = "gsp:groups=4,prompts=4,block=64,seed=3"
    ok(capsys, "workload", spec, "-o", str(file))
    common = ("--capacity", "10%", "--policies", "lru,rlt", "--measure", "tokens", "--json", "-")
    direct, again = (json.loads(ok(capsys, "ratio", source, *common)) for source in (spec, str(file)))
    assert direct["ceiling_hit_rate"] == again["ceiling_hit_rate"]
    assert direct["runs"][0]["opt"]["misses"] == again["runs"][0]["opt"]["misses"]
    assert [p["misses"] for p in direct["runs"][0]["policies"]] == [
        p["misses"] for p in again["runs"][0]["policies"]
    ]


def test_lists(capsys):
    out = ok(capsys, "policies")
    for name in ("lru", "fifo", "lfu", "mru", "random", "rlt", "marking"):
        assert name in out
    out = ok(capsys, "workloads")
    for name in ("uniform", "zipf", "cyclic", "gsp", "round_robin"):
        assert name in out
    assert "kvtheory 0." in ok(capsys, "--version")


@pytest.mark.parametrize(
    "capacity",
    [
        "0",
        "-1",
        "abc",
        "0%",
        "-5%",
        "%",
        "",
        "1,,2",
        "1e3",
        "nan%",
        "inf%",
        "1.5",
        "1/2%",
        "9" * 31,
        "1e99999999%",
        "1e99999%",
        "1_000",
        "٣",
        "1.%",
        "+1",
        "0.0%",
    ],
)
def test_bad_capacity(capsys, capacity):
    assert "capacity" in refused(capsys, "ratio", SMALL, "--capacity=" + capacity)
    assert "capacity" in refused(capsys, "opt", SMALL, "--capacity=" + capacity)


def test_a_capacity_larger_than_everything_is_fine(capsys):
    found = json.loads(
        ok(capsys, "ratio", SMALL, "--capacity", "4000000000", "--policies", "all", "--json", "-")
    )
    assert found["runs"][0]["opt"]["misses"] == 5
    assert {policy["misses"] for policy in found["runs"][0]["policies"]} == {5}
    assert found["runs"][0]["W"] == 1
    assert found["runs"][0]["capacity"] == 4_000_000_000


def test_an_absurd_capacity_costs_no_memory(capsys):
    huge = "1000000000000000000%"
    found = json.loads(ok(capsys, "ratio", SMALL, "--capacity", huge, "--policies", "all", "--json", "-"))
    assert {policy["misses"] for policy in found["runs"][0]["policies"]} == {5}
    assert json.loads(ok(capsys, "opt", SMALL, "--capacity", huge, "--json", "-"))["value"] == 5


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["ratio", SMALL, "--capacity", "2", "--policies", "lur"], "did you mean 'lru'?"),
        (["ratio", SMALL, "--capacity", "2", "--policies", "zzzz"], "known: arc, blind_oracle, bucketing"),
        (["ratio", SMALL, "--capacity", "2", "--policies", "lru,lru"], "named twice"),
        (["ratio", SMALL, "--capacity", "2", "--policies", ""], "no policy is named ''"),
        (["ratio", SMALL, "--capacity", "2", "--seeds", "0"], "seeds"),
        (["ratio", SMALL, "--capacity", "2", "--seeds", "x"], "seeds"),
        (["ratio", SMALL, "--capacity", "2", "--warmup", "1"], "warmup"),
        (["ratio", SMALL, "--capacity", "2", "--warmup", "nan"], "warmup"),
        (["ratio", SMALL, "--capacity", "2", "--measure", "bytes"], "bytes"),
        (["ratio", SMALL, "--capacity", "2", "--plot", "a.bmp"], "svg, png, pdf"),
        (["ratio", SMALL, "--capacity", "2", "--plot", "/nowhere/a.svg"], "/nowhere/a.svg"),
        (["ratio", SMALL, "--capacity", "2", "--json", "/"], "cannot be written"),
        (["ratio", SMALL], "capacity"),
        (["ratio", "no/such/file.jsonl", "--capacity", "2"], "no/such/file.jsonl"),
        (["ratio", "cycli:prompts=3", "--capacity", "2"], "did you mean 'cyclic'?"),
        (["ratio", "cyclic:prompt=3", "--capacity", "2"], "did you mean 'prompts'?"),
        (["ratio", "cyclic:prompts=x", "--capacity", "2"], "not an integer"),
        (["ratio", "cyclic:prompts=0", "--capacity", "2"], "prompts"),
        (["ratio", "cyclic:prompts", "--capacity", "2"], "key=value"),
        (["ratio", "gsp:order=best", "--capacity", "2"], "round_robin"),
        (
            ["opt", "cyclic:prompts=20,requests=40", "--capacity", "4", "--method", "brute"],
            "brute force stops",
        ),
        (["opt", SMALL, "--capacity", "1,2"], "one capacity"),
        (["workload", "cyclic", "-o", "/nowhere/x.jsonl"], "/nowhere/x.jsonl"),
        (["workload", "cyclic", "-o", "x.jsonl", "--format", "mooncak"], "mooncake"),
        (["sweep", "nowhere.toml"], "nowhere.toml"),
        (["nonsense"], "nonsense"),
        (["ratio", "x" * 300, "--capacity", "2"], "xxx"),
        (["ratio", "zipf:seed=-1", "--capacity", "2"], "zipf"),
        (["ratio", "gsp:output=1" + "0" * 27, "--capacity", "2"], "gsp"),
        (["ratio", "gsp:block=1" + "0" * 13, "--capacity", "2"], "gsp"),
        (["ratio", "uniform:tree=99999999999999999999", "--capacity", "2"], "uniform"),
        (["ratio", "cyclic:prompts=99999999999999999999", "--capacity", "2"], "prompts"),
        (["ratio", "zipf:exponent=nan", "--capacity", "2"], "exponent"),
        (["ratio", SMALL, "--capacity", "2", "--plot", "a.svg", "--html", "a.svg"], "named twice"),
        (["opt", SMALL, "--capacity", "2", "--time-limit", "-1"], "time-limit"),
        (["opt", SMALL, "--capacity", "2", "--gap", "nan"], "gap"),
        (["ratio", SMALL, "--capacity", "2", "--frobnicate"], "frobnicate"),
    ],
)
def test_bad_words_get_one_line_and_exit_code_2(capsys, tmp_path, monkeypatch, arguments, says):
    monkeypatch.chdir(tmp_path)
    assert says in refused(capsys, *arguments)
    assert list(tmp_path.iterdir()) == []


def test_bad_trace_names_file_line_and_field(capsys, tmp_path):
    file = tmp_path / "bad.jsonl"
    file.write_text('{"hash_ids": [1, 2], "timestamp": 0}\n{"hash_ids": [3, 2], "timestamp": 1}\n')
    said = refused(capsys, "ratio", str(file), "--capacity", "2")
    assert str(file) in said
    assert "line 2" in said
    assert "hash_ids" in said
    assert "split" in said
    found = json.loads(
        ok(
            capsys,
            "ratio",
            str(file),
            "--capacity",
            "9",
            "--on-conflict",
            "split",
            "--policies",
            "lru",
            "--json",
            "-",
        )
    )
    assert found["nodes"] == 4


# a test run in the background inherits an ignored SIGINT
def test_an_output_never_overwrites_its_source(capsys, tmp_path):
    file = tmp_path / "t.jsonl"
    file.write_text('{"hash_ids": [1, 2], "timestamp": 0}\n')
    before = file.read_bytes()
    assert "source" in refused(capsys, "ratio", str(file), "--capacity", "1", "--json", str(file))
    assert file.read_bytes() == before


def test_a_file_name_is_not_mathematics(capsys, tmp_path):
    file = tmp_path / "a$\\q$_<b>.jsonl"
    file.write_text('{"hash_ids": [1, 2], "timestamp": 0}\n')
    page = tmp_path / "p.html"
    ok(capsys, "ratio", str(file), "--capacity", "1", "--policies", "lru", "--html", str(page))
    text = page.read_text()
    assert "<b>" not in text
    assert "<script" not in text


def test_no_arguments_show_the_help(capsys):
    assert "Usage: kvtheory" in ok(capsys)


@whole_trace
@pytest.mark.skipif(not REAL.exists(), reason="the real trace is not here")
def test_the_real_trace(capsys):
    """Misses, hit rates and widths as three programs found them (docs/howto)."""
    policies = ("--policies", "lru,rlt", "--seeds", "2", "--json", "-")
    found = json.loads(ok(capsys, "ratio", str(REAL), "--capacity", "1%,10%", *policies))
    assert (found["requests"], found["accesses"], found["nodes"]) == (12_031, 288_500, 182_790)
    assert [item["capacity"] for item in found["runs"]] == [1827, 18_279]
    assert [item["W"] for item in found["runs"]] == [1827, 10_347]
    assert [item["W_R"] for item in found["runs"]] == [1677, 5927]
    assert [item["opt"]["misses"] for item in found["runs"]] == [288_500 - 69_181, 182_790]
    assert [item["policies"][0]["misses"] for item in found["runs"]] == [288_500 - 15_136, 288_500 - 80_466]


@whole_trace
@pytest.mark.skipif(not REAL.exists(), reason="the real trace is not here")
def test_equal_to_kvcache_simulator_0_1_3(capsys):
    """Hit tokens of the last half that its `lru` and `optimal` report, of 67,915,607 (docs/howto)."""
    window = ("--warmup", "0.5", "--measure", "tokens", "--bypass", "--policies", "lru", "--json", "-")
    found = json.loads(ok(capsys, "ratio", str(REAL), "--capacity", "1%,3%,10%,30%", *window))
    total = 67_915_607
    assert [total - item["policies"][0]["misses"] for item in found["runs"]] == [
        3_704_049,
        8_564_723,
        19_962_647,
        25_876_852,
    ]
    assert [total - item["opt"]["misses"] for item in found["runs"]] == [
        17_434_225,
        25_163_255,
        27_038_068,
        27_038_068,
    ]
