"""Traces in and out: every format, every compression, against a naive builder."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from profiles import examples, whole_trace

from kvtheory.errors import InputError
from kvtheory.model import PrefixTree, Trace
from kvtheory.traces import read_trace, request_formats, write_trace
from kvtheory.traces.builder import TreeBuilder

REAL = Path(__file__).parents[2] / "shared/traces/mooncake_conversation.jsonl"


def read(records, **options):
    """Read records as if they came on standard input."""
    text = "".join(json.dumps(record) + "\n" for record in records)
    return read_trace("-", stdin=io.BytesIO(text.encode()), **options)


def naive(records, block_size, split):
    """The meaning, in dicts: (parents, ids, tokens, requests), or the row of the first conflict."""
    nodes, parents, ids, tokens, requests = {}, [-1], [-1], [0], []
    for row, record in enumerate(records):
        path, node = record["hash_ids"], 0
        for i, key in enumerate(path):
            v = nodes.setdefault((node, key) if split else key, len(parents))
            if v == len(parents):
                parents.append(node)
                ids.append(key)
                tokens.append(0)
            elif parents[v] != node:
                return row
            held = block_size
            if "block_tokens" in record:
                held = record["block_tokens"][i]
            elif i == len(path) - 1 and "input_length" in record:
                held = min(block_size, max(1, record["input_length"] - block_size * i))
            tokens[v] = max(tokens[v], held)
            node = v
        requests.append(node)
    return parents, ids, tokens, requests


def facts(trace):
    """A trace as :func:`naive` gives it."""
    tree = trace.tree
    return tree.parent.tolist(), trace.ids.tolist(), tree.tokens.tolist(), trace.requests.tolist()


def assert_same(a, b):
    """Two traces are equal in everything but their source."""
    assert facts(a) == facts(b)
    assert (a.block_tokens, a.type_names) == (b.block_tokens, b.type_names)
    assert a.columns.keys() == b.columns.keys()
    for key, column in a.columns.items():
        np.testing.assert_array_equal(column, b.columns[key])
        assert column.dtype == b.columns[key].dtype


PATHS = st.lists(st.integers(0, 4), max_size=5)
TOKENS = st.integers(0, 40)


@st.composite
def requests(draw):
    kind = draw(st.sampled_from(["", "input_length", "block_tokens"]))
    records = [{"hash_ids": path} for path in draw(st.lists(PATHS, min_size=1, max_size=12))]
    for record in records:
        if kind:
            record["input_length"] = draw(TOKENS)
        if kind == "block_tokens":
            size = len(record["hash_ids"])
            record["block_tokens"] = draw(st.lists(st.integers(1, 9), min_size=size, max_size=size))
            record["block_size"] = 8
    return records


@given(requests())
@settings(deadline=None)
def test_split_mode_is_the_naive_trie(records):
    assert facts(read(records, on_conflict="split", block_size=8)) == naive(records, 8, split=True)


@given(requests())
@settings(deadline=None)
def test_refuse_mode_is_the_naive_forest_or_names_the_first_conflict(records):
    expected = naive(records, 8, split=False)
    if isinstance(expected, int):
        with pytest.raises(InputError) as caught:
            read(records, block_size=8)
        assert (caught.value.line, caught.value.field) == (expected + 1, "hash_ids")
        assert "--on-conflict split" in str(caught.value)
    else:
        assert facts(read(records, block_size=8)) == expected


@given(requests(), st.sampled_from(["", ".gz", ".zst"]))
@settings(deadline=None, max_examples=examples(60))
def test_kvcache_ai_loses_nothing(tmp_path_factory, records, suffix):
    trace = read(records, on_conflict="split", block_size=8)
    path = tmp_path_factory.mktemp("traces") / f"trace{suffix}"
    write_trace(trace, path, "kvcache_ai")
    assert_same(read_trace(path, on_conflict="split"), trace)


MOONCAKE = st.fixed_dictionaries(
    {
        "timestamp": st.integers(0, 10**9) | st.floats(0, 10**9).map(lambda x: round(x, 3)),
        "input_length": TOKENS,
        "output_length": st.integers(0, 2**63 - 1),
        "hash_ids": PATHS,
    }
)
BAILIAN = st.fixed_dictionaries(
    {
        "chat_id": st.integers(0, 2**63 - 1),
        "parent_chat_id": st.integers(-1, 5),
        "timestamp": st.floats(0, 1e6),
        "input_length": TOKENS,
        "output_length": st.integers(0, 100),
        "type": st.sampled_from(["text", "search", "image", "file"]),
        "turn": st.integers(1, 9),
        "hash_ids": PATHS,
    }
)


@given(
    st.sampled_from([("mooncake", MOONCAKE), ("bailian", BAILIAN)]).flatmap(
        lambda pair: st.tuples(st.just(pair[0]), st.lists(pair[1], min_size=1, max_size=8))
    ),
    st.sampled_from([None, 8]),
)
@settings(deadline=None, max_examples=examples(80))
def test_written_and_read_again_is_the_same_trace(tmp_path_factory, case, block_size):
    name, records = case
    trace = read(records, on_conflict="split", block_size=block_size)
    path = tmp_path_factory.mktemp("traces") / "trace"
    write_trace(trace, path, name)
    assert_same(read_trace(path, on_conflict="split"), trace)


def test_mooncake_columns_and_partial_blocks():
    trace = read(
        [
            {"timestamp": 0, "input_length": 1025, "output_length": 7, "hash_ids": [9, 4, 5]},
            {"timestamp": 1500, "input_length": 600, "output_length": 8, "hash_ids": [9, 6]},
            {"timestamp": 1500.5, "input_length": 0, "output_length": 9, "hash_ids": []},
        ]
    )
    assert facts(trace) == ([-1, 0, 1, 2, 1], [-1, 9, 4, 5, 6], [0, 512, 512, 1, 88], [3, 4, 0])
    assert trace.block_tokens == 512
    assert trace.source == "<stdin>"
    assert trace.columns["timestamp"].tolist() == [0.0, 1.5, 1.5005]
    assert trace.columns["output_length"].tolist() == [7, 8, 9]


def test_bailian_columns():
    record = {"chat_id": 159, "parent_chat_id": -1, "timestamp": 61.114, "input_length": 20}
    record |= {"output_length": 3, "type": "search", "turn": 1, "hash_ids": [2**63 - 1, 0]}
    trace = read([record, record | {"chat_id": 160, "parent_chat_id": 159, "type": "text"}])
    assert trace.block_tokens == 16
    assert trace.tree.tokens.tolist() == [0, 16, 4]
    assert trace.type_names == ("search", "text")
    assert {key: column.tolist() for key, column in trace.columns.items()} == {
        "timestamp": [61.114, 61.114],
        "output_length": [3, 3],
        "chat_id": [159, 160],
        "parent_chat_id": [-1, 159],
        "turn": [1, 1],
        "type": [0, 1],
    }


def test_formats_are_told_apart_by_the_first_record():
    sized = {"block_size": 4, "hash_ids": [1], "input_length": 3}
    assert request_formats()["kvcache_ai"].detect(sized)
    assert not request_formats()["kvcache_ai"].detect(sized | {"timestamp": 5, "output_length": 1})
    assert read([sized]).columns == {}
    timed = read([sized | {"timestamp": 5}, sized | {"timestamp": 6}])
    assert timed.columns["timestamp"].tolist() == [0.005, 0.006]
    assert timed.block_tokens == 4


def test_what_the_first_record_lacks_is_absent():
    trace = read([{"hash_ids": [1]}, {"hash_ids": [2], "timestamp": 3, "input_length": 5, "x": None}])
    assert trace.columns == {}
    assert trace.tree.tokens.tolist() == [0, 512, 512]


def test_the_largest_token_count_of_a_block_counts():
    trace = read([{"hash_ids": [1], "input_length": n} for n in (3, 9, 5)])
    assert trace.tree.tokens.tolist() == [0, 9]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_blank_lines_a_byte_order_mark_and_a_missing_last_newline_are_fine(newline):
    text = newline.join(["\ufeff", " \t", '{"hash_ids": [1]}', "", '{"hash_ids": [1, 2]}'])
    assert read_trace("-", stdin=io.BytesIO(text.encode())).requests.tolist() == [1, 2]


LINES = [json.dumps({"hash_ids": list(range(i % 50))}).encode() + b"\n" for i in range(9000)]


@pytest.mark.parametrize(
    "pack",
    [
        b"".join,
        lambda parts: b"".join(map(gzip.compress, parts)),
        lambda parts: b"".join(map(gzip.compress, parts)) + bytes(999),
        lambda parts: b"".join(map(zstandard.ZstdCompressor().compress, parts)),
        lambda parts: b"\x50\x2a\x4d\x18\x02\0\0\0hi" + zstandard.compress(b"".join(parts)),
    ],
    ids=["plain", "gzip members", "gzip padded", "zstd frames", "zstd skippable frame"],
)
def test_content_says_what_a_file_is_not_its_name(tmp_path, pack):
    path = tmp_path / "trace.jsonl.gz.zst"
    path.write_bytes(
        pack([b"".join(LINES[:11]), b"".join(LINES[11:5000])[:-9], LINES[4999][-9:], *LINES[5000:]])
    )
    trace = read_trace(str(path))
    assert facts(trace) == naive([json.loads(line) for line in LINES], 512, split=False)
    assert trace.source == str(path)
    assert_same(read_trace("-", stdin=io.BytesIO(path.read_bytes())), trace)


def test_plain_and_gzip_need_no_zstandard(tmp_path):
    path = tmp_path / "t.gz"
    write_trace(Trace.from_parents([0], [1]), path)
    code = (
        "import sys; sys.modules['zstandard'] = None\n"
        "from kvtheory.traces import read_trace\n"
        f"assert len(read_trace({str(path)!r})) == 1"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_id_table_grows():
    builder = TreeBuilder(1)
    rng = np.random.default_rng(0)
    ids = np.unique(rng.integers(0, 2**63, 60_000))
    one = np.ones(1, dtype=np.int64)
    for start in range(0, ids.size, 7_000):
        chunk = ids[start : start + 7_000]
        assert builder.add(chunk, one.repeat(chunk.size)) is None
    assert builder.add(ids, one.repeat(ids.size)) is None
    parent, tokens, known, served = builder.finish()
    assert (parent[1:] == 0).all()
    assert (tokens[1:] == 1).all()
    np.testing.assert_array_equal(known[1:], ids)
    np.testing.assert_array_equal(served, np.tile(np.arange(1, ids.size + 1), 2))


@whole_trace
@pytest.mark.skipif(not REAL.exists(), reason="the real trace is not here")
@pytest.mark.parametrize("name", sorted(request_formats()))
def test_the_real_trace(tmp_path, name):
    trace = read_trace(REAL)
    assert (len(trace), trace.accesses, trace.tree.n) == (12_031, 288_500, 182_790)
    assert facts(trace) == naive(map(json.loads, REAL.read_text().splitlines()), 512, split=False)
    write_trace(trace, tmp_path / "t.zst", name)
    again = read_trace(tmp_path / "t.zst")
    assert facts(again) == facts(trace)
    np.testing.assert_array_equal(again.columns["timestamp"], trace.columns["timestamp"])


def test_a_trace_without_ids_is_written_by_node_numbers(tmp_path):
    trace = Trace(PrefixTree(np.array([-1, 0, 1, 0], np.int32)), np.array([2, 3, 0, 1], np.int32))
    write_trace(trace, tmp_path / "t")
    assert [json.loads(line) for line in (tmp_path / "t").read_text().splitlines()] == [
        {"timestamp": 0, "input_length": len(ids), "output_length": 0, "hash_ids": ids, "block_size": 1}
        for ids in ([1, 2], [3], [], [1])
    ]
    again = read_trace(tmp_path / "t")
    assert facts(again) == ([-1, 0, 1, 0], [-1, 1, 2, 3], [0, 1, 1, 1], [2, 3, 0, 1])
