"""What `make bench` makes of benchmarks: ratios that follow from figures, a line for what was not run."""

import json
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "benchmarks"
NAMES = sorted(file.stem.removeprefix("bench_") for file in FOLDER.glob("bench_*.py"))
COMMITTED = sorted(
    file for file in (FOLDER / "results").glob("*.json") if file.stem in NAMES or file.stem == "table"
)


@pytest.fixture
def bench(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    import run_all

    return run_all


@pytest.mark.parametrize("file", COMMITTED, ids=lambda file: file.stem)
def test_committed_ratios_follow_from_their_figures(file):
    found = json.loads(file.read_text())
    groups = found["benchmarks"] if file.stem == "table" else [found]
    seen = 0
    for figure in (figure for group in groups for figure in group.get("figures", [])):
        quotient = figure["ours"] / figure["theirs"]
        faster = figure["unit"].endswith("/s") or figure["unit"] == "requests x nodes"
        assert figure["ratio"] == pytest.approx(quotient if faster else 1 / quotient, rel=1e-3)
        seen += 1
    assert seen or file.stem in ("cold", "memory", "workloads")  # measured before they had a peer


def test_what_is_lacking_is_read_from_the_last_line(bench):
    assert bench.missing("Traceback\nModuleNotFoundError: No module named 'torch'\n") == "torch"
    assert bench.missing("ModuleNotFoundError: No module named 'vllm.v1'") == "vLLM"
    assert (
        bench.missing("needs the trace mooncake_conversation.jsonl")
        == "the trace mooncake_conversation.jsonl"
    )
    assert bench.missing("ModuleNotFoundError: No module named 'kvtheory'") is None
    assert bench.missing("needs torch\nValueError: no") is None
    assert bench.missing("") is None


def test_the_table(bench):
    from outcome import less, more

    figures = [less("a time", "s", 2.0, "theirs", 3.0), more("a speed", "requests/s", 6e6, "theirs", 2e6)]
    assert [each["ratio"] for each in figures] == [1.5, 3.0]
    figures[0]["last"], figures[1]["last"] = 1.2, None
    shown = bench.lines(
        [{"benchmark": "one", "figures": figures}, {"benchmark": "two", "problem": "not run: needs torch"}]
    )
    assert [line.split()[0] for line in shown] == ["benchmark", "one", "one", "two"]
    assert shown[1].split()[-3:] == ["1.50x", "1.20x", "+25%"]
    assert shown[2].split()[-3:] == ["3.00x", "-", "-"]
    assert shown[3].split(maxsplit=1)[1] == "not run: needs torch"


@pytest.mark.parametrize("name", NAMES)
def test_every_benchmark_hands_over_figures(name):
    text = (FOLDER / f"bench_{name}.py").read_text()
    assert "arguments(__doc__, __file__)" in text
    assert '"figures": figures(' in text


def test_a_benchmark_alone_replaces_its_rows_and_the_table_says_so(bench):
    kept = {"benchmark": "one", "figures": []}
    table = {"machine": "m", "versions": {"numpy": "2"}, "load": 0.5, "minutes": 20, "again": []}
    table["benchmarks"] = [kept, {"benchmark": "two", "problem": "not run: needs torch"}]
    assert bench.head(table) == "m; numpy 2; load 0.5 at the start; 20 minutes"
    new = bench.renewed(table, [{"benchmark": "two", "figures": []}])
    assert new["benchmarks"] == [kept, {"benchmark": "two", "figures": []}]
    assert bench.head(new).endswith("; run again alone: two")


def test_the_committed_table_is_its_text(bench):
    content = json.loads((bench.RESULTS / "table.json").read_text())
    shown = [bench.head(content), "", *bench.lines(content["benchmarks"])]
    assert (bench.RESULTS / "table.txt").read_text() == "\n".join(shown) + "\n"
