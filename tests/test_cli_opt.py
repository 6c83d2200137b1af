"""`kvtheory opt` and `kvtheory verify`: every solver's schedule replays, and a lie is caught."""

import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from profiles import examples

from kvtheory.cli import run
from kvtheory.errors import KVTheoryError
from kvtheory.verify import verify_file

SMALL = "zipf:documents=4,blocks=2,shared=1,requests=14"
METHODS = ("belady", "flow", "ilp", "brute")


def call(capsys, *arguments, code=0):
    assert run(list(arguments)) == code
    return capsys.readouterr()


@pytest.mark.parametrize("bypass", [[], ["--bypass"]])
@pytest.mark.parametrize("cost", ["unit", "depth", "tokens", "file"])
def test_every_method_agrees_where_it_is_exact_and_its_witness_verifies(capsys, tmp_path, cost, bypass):
    if cost == "file":
        cost = str(tmp_path / "costs.txt")
        (tmp_path / "costs.txt").write_text("\n".join(["1/3", "2", "5", "7/2", "1", "4", "0", "9", "1/6"]))
    witness = tmp_path / "w.jsonl"
    found = {}
    for method in METHODS:
        options = ["--capacity", "5", "--method", method, "--cost", cost, *bypass]
        out = call(capsys, "opt", SMALL, *options, "--witness", str(witness), "--json", "-").out
        found[method] = json.loads(out)
        checked = call(capsys, "verify", str(witness)).out
        assert f"value  {found[method]['value']}" in checked
        assert f"misses  {found[method]['misses']}" in checked
    assert found["ilp"]["optimal"]
    assert found["brute"]["optimal"]
    assert found["ilp"]["value"] == found["brute"]["value"]
    if cost in ("unit", "tokens"):
        assert all(item["optimal"] and item["value"] == found["ilp"]["value"] for item in found.values())


def test_belady_says_when_it_is_not_optimal(capsys, tmp_path):
    """Costs that grow with depth (THEORY.md, offline 2): Belady 8, optimum 7."""
    trace = tmp_path / "t.jsonl"
    paths = {1: [1], 2: [1, 2], 3: [1, 3], 4: [4]}
    lines = [json.dumps({"timestamp": 0, "hash_ids": paths[v], "block_size": 1}) for v in (2, 4, 3, 4, 2)]
    trace.write_text("\n".join(lines) + "\n")
    found = {}
    for method in METHODS:
        options = ["--capacity", "3", "--cost", "depth", "--method", method, "--json", "-"]
        found[method] = json.loads(call(capsys, "opt", str(trace), *options).out)
    assert (found["belady"]["value"], found["belady"]["optimal"], found["belady"]["status"]) == (
        8,
        False,
        "bound",
    )
    assert found["belady"]["lower_bound"] <= 7
    assert [found[method]["value"] for method in ("ilp", "brute")] == [7, 7]


def test_a_time_limit_gives_exit_code_3_and_never_optimal(capsys):
    source = "uniform:tree=binary:7,requests=400"
    options = ["--capacity", "40", "--method", "ilp", "--cost", "depth", "--time-limit", "0.05"]
    found = json.loads(call(capsys, "opt", source, *options, "--json", "-", code=3).out)
    assert found["status"] == "limit"
    assert found["optimal"] is False
    assert found["lower_bound"] < found["value"]
    assert found["gap"] > 0


def test_a_cut_request_is_in_the_witness(capsys, tmp_path):
    witness = tmp_path / "w.jsonl"
    source = "cyclic:prompts=3,blocks=4,requests=9"
    out = call(capsys, "opt", source, "--capacity", "2", "--witness", str(witness), "--json", "-").out
    assert json.loads(out)["value"] == 36
    assert "value  36" in call(capsys, "verify", str(witness)).out


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    file = tmp_path_factory.mktemp("witness") / "w.jsonl"
    options = ["--capacity", "5", "--method", "ilp", "--cost", "depth", "--witness", str(file)]
    assert run(["opt", SMALL, *options]) == 0
    return [json.loads(line) for line in file.read_text().splitlines()]


def _write(tmp_path, lines):
    file = tmp_path / "forged.jsonl"
    file.write_text("\n".join(json.dumps(line) for line in lines) + "\n")
    return file


@pytest.mark.parametrize(
    "forge",
    [
        lambda lines: lines[0].update(value=lines[0]["value"] - 1),
        lambda lines: lines[0].update(value=lines[0]["value"] + 1),
        lambda lines: lines[0].update(misses=lines[0]["misses"] + 1),
        lambda lines: lines[0].update(capacity=lines[0]["capacity"] - 1),
        lambda lines: lines[0]["cost"].__setitem__(0, 17),
        lambda lines: lines[-1].update(evict=[lines[-1]["request"]]),
        lambda lines: lines.pop(),
        lambda lines: next(line for line in lines[1:] if line["evict"])["evict"].pop(),
        lambda lines: next(line for line in lines[1:] if line["evict"])["evict"].append(9),
        lambda lines: lines[1]["evict"].append(1),
    ],
)
def test_a_forged_witness_is_rejected(capsys, tmp_path, honest, forge):
    lines = json.loads(json.dumps(honest))
    forge(lines)
    file = _write(tmp_path, lines)
    assert run(["verify", str(file)]) == 1
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("forge", "field"),
    [
        (lambda lines: lines[0].update(schema="kvtheory-witness/9"), "schema"),
        (lambda lines: lines[0].update(capacity=0), "capacity"),
        (lambda lines: lines[0].update(capacity=True), "capacity"),
        (lambda lines: lines[0].update(bypass=1), "bypass"),
        (lambda lines: lines[0].update(parents=[1]), "parents"),
        (lambda lines: lines[0].update(parents="none"), "parents"),
        (lambda lines: lines[0].update(cost=[1]), "cost"),
        (lambda lines: lines[0]["cost"].__setitem__(0, 0.5), "cost"),
        (lambda lines: lines[0]["cost"].__setitem__(0, "1/0"), "cost"),
        (lambda lines: lines[0]["cost"].__setitem__(0, -1), "cost"),
        (lambda lines: lines[0].update(value="x"), "value"),
        (lambda lines: lines[0].pop("misses"), "misses"),
        (lambda lines: lines[3].update(request=99), "request"),
        (lambda lines: lines[3].update(request=-1), "request"),
        (lambda lines: lines[3].update(evict=3), "evict"),
        (lambda lines: lines[3].update(evict=[1.0]), "evict"),
        (lambda lines: lines.__setitem__(3, [1]), "line 4"),
    ],
)
def test_a_malformed_witness_is_refused(capsys, tmp_path, honest, forge, field):
    lines = json.loads(json.dumps(honest))
    forge(lines)
    assert run(["verify", str(_write(tmp_path, lines))]) == 2
    assert field in capsys.readouterr().err


@pytest.mark.parametrize(
    "content", [b"", b"\x00", b"[]", b'{"a": 1}', b'{"schema": 3}', b"{", b"\xff", b"[" * 99999]
)
def test_a_file_that_is_no_proof_is_refused(capsys, tmp_path, content):
    file = tmp_path / "f"
    file.write_bytes(content)
    assert run(["verify", str(file)]) == 2
    assert run(["verify", str(tmp_path / "missing")]) == 2
    assert run(["verify", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 3


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=examples(200))
@given(where=st.integers(0, 14), value=json_values, data=st.data())
def test_the_verifier_never_crashes(tmp_path_factory, honest, where, value, data):
    lines = json.loads(json.dumps(honest))
    line = lines[where]
    line[data.draw(st.sampled_from(sorted(line)))] = value
    file = _write(tmp_path_factory.mktemp("fuzz"), lines)
    with suppress(KVTheoryError):
        assert verify_file(file)["value"] == honest[0]["value"]
