"""Every bad input is one InputError, one printable line, that says where."""

from __future__ import annotations

import builtins
import gzip
import io
import json
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from profiles import examples

from kvtheory.errors import InputError
from kvtheory.traces import read_trace

GOOD = b'{"hash_ids": [1, 2]}\n'
SIZED = {"block_size": 4, "hash_ids": [1, 2], "input_length": 7}


def failure(data, **options):
    """The error of bytes on standard input, checked for what holds of all of them."""
    with pytest.raises(InputError) as caught:
        read_trace("-", stdin=io.BytesIO(data), **options)
    error = caught.value
    assert str(error).isprintable()
    assert len(str(error)) < 250
    assert error.file == "<stdin>" or error.field in ("block_size", "on_conflict")
    return error


def message_of(data):
    try:
        read_trace("-", stdin=io.BytesIO(data))
    except InputError as error:
        return str(error)
    return ""


def expect(data, message, line=None, field=None, **options):
    error = failure(data, **options)
    assert message in str(error)
    assert (error.line, error.field) == (line, field)


def lines(*records):
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


@pytest.mark.parametrize("data", [b"", b"\n", b"\n\r\n \t\n", b"\xef\xbb\xbf", gzip.compress(b"", mtime=0)])
def test_no_requests(data):
    expect(data, "no requests")


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (b'{"hash_ids": [1, 2', "the last line is cut short"),
        (b'{"hash_ids": [1, 2], "x": "a', "the last line is cut short"),
        (b"hello", "not JSON (column 1)"),
        (b'{"hash_ids": [1, 2]} 7\n', "not JSON (column 22)"),
        (b'{"hash_ids": [1, 2\n', "not JSON (column 19)"),
        (b'{"hash_ids": [1, 2], "\x1b[31m": 3}\n', "not JSON (column 23)"),
        (b'{"hash_ids": [1, 2\0]}\n', "NUL bytes"),
        (b"\0" * 100, "NUL bytes"),
        (b'{"hash_ids": [1, 2], "x": "\xff"}\n', "not UTF-8 text"),
        (b"[" * 500_000, "nested too deeply"),
        (b'{"hash_ids": ' + b'{"a":' * 500_000, "nested too deeply"),
        (b'{"hash_ids": [' + b"9" * 5000 + b"]}\n", "an integer of too many digits"),
        (b"[1, 2]\n", "a list, not an object"),
        (b"null\n", "null, not an object"),
        (b'"hash_ids"\n', "a string, not an object"),
        (b"7\n", "an integer, not an object"),
        (b"NaN\n", "a non-integer number, not an object"),
    ],
)
@pytest.mark.parametrize("before", [b"", GOOD, b"\n" + GOOD * 20_000], ids=["first", "second", "late"])
def test_lines_that_are_no_records(bad, message, before):
    expect(before + bad, message, line=before.count(b"\n") + 1)


def test_utf16_is_refused():
    expect(GOOD.decode().encode("utf-16"), "", line=1)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("7", "a string, not a list of integers"),
        (7, "an integer, not a list of integers"),
        (None, "null, not a list of integers"),
        (True, "a boolean, not a list of integers"),
        ({"1": 2}, "an object, not a list of integers"),
        ([1, 2.0], "an element is a non-integer number, not an integer"),
        ([1, float("nan")], "an element is a non-integer number, not an integer"),
        ([1, "2"], "an element is a string, not an integer"),
        ([1, True], "an element is a boolean, not an integer"),
        ([1, None], "an element is null, not an integer"),
        ([1, [2]], "an element is a list, not an integer"),
        ([1, -2], "an element is negative"),
        ([-(2**70)], "an element is negative"),
        ([1, 2**63], "an element is 9223372036854775808 or more"),
        ([2**200], "an element is 9223372036854775808 or more"),
    ],
)
@pytest.mark.parametrize("before", [[], [[1]], [[1], []]], ids=len)
def test_wrong_hash_ids(value, message, before):
    records = [{"hash_ids": ids} for ids in (*before, value)]
    expect(lines(*records, {"hash_ids": "later"}), message, line=len(records), field="hash_ids")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("timestamp", "12", "a string, not a number"),
        ("timestamp", None, "null, not a number"),
        ("timestamp", True, "a boolean, not a number"),
        ("timestamp", float("nan"), "not a finite number"),
        ("timestamp", float("inf"), "not a finite number"),
        ("timestamp", float("-inf"), "not a finite number"),
        ("timestamp", 10**400, "not a finite number"),
        ("input_length", -1, "negative"),
        ("input_length", 2.5, "a non-integer number, not an integer"),
        ("input_length", 2**63, "9223372036854775808 or more"),
        ("output_length", -1, "negative"),
        ("output_length", False, "a boolean, not an integer"),
        ("output_length", [], "a list, not an integer"),
        ("chat_id", -1, "negative"),
        ("parent_chat_id", -2, "less than -1"),
        ("turn", "1", "a string, not an integer"),
        ("type", 3, "an integer, not a string"),
        ("type", "\x1b[31m", "cannot be printed"),
        ("type", "\ud800", "cannot be printed"),
    ],
)
@pytest.mark.parametrize("row", [0, 1, 2])
def test_wrong_fields(field, value, message, row):
    good = {"chat_id": 1, "parent_chat_id": -1, "timestamp": 0.5, "input_length": 20, "output_length": 1}
    good |= {"type": "text", "turn": 1, "hash_ids": [1, 2]}
    records = [good] * row + [good | {field: value}] + [good] * 2
    expect(lines(*records), message, line=row + 1, field=field)
    if row:
        missing = {key: entry for key, entry in good.items() if key != field}
        expect(lines(good, missing), "missing", line=2, field=field)


@pytest.mark.parametrize(
    ("change", "message", "field"),
    [
        ({"block_size": 0}, "less than 1", "block_size"),
        ({"block_size": -4}, "less than 1", "block_size"),
        ({"block_size": 2**31}, "2147483648 or more", "block_size"),
        ({"block_size": "4"}, "a string, not an integer", "block_size"),
        ({"block_size": True}, "a boolean, not an integer", "block_size"),
        ({"block_size": None}, "null, not an integer", "block_size"),
        ({"block_tokens": 4}, "an integer, not a list of integers", "block_tokens"),
        ({"block_tokens": [4, 0]}, "an element is less than 1", "block_tokens"),
        ({"block_tokens": [4, 2**31]}, "an element is 2147483648 or more", "block_tokens"),
        ({"block_tokens": [4]}, "1 token counts for 2 blocks", "block_tokens"),
    ],
)
def test_wrong_kvcache_ai_records(change, message, field):
    expect(lines(SIZED | change), message, line=1, field=field)


def test_missing_fields():
    expect(lines({"timestamp": 1}), "missing", line=1, field="hash_ids")
    expect(lines({"hash_ids": [1]}, {}), "missing", line=2, field="hash_ids")
    bare = {"hash_ids": [1], "block_size": 4, "block_tokens": [4]}
    expect(lines(bare), "missing", line=1, field="input_length")
    unsized = {"hash_ids": [1], "block_tokens": [1], "input_length": 1}
    expect(lines(unsized), "missing", line=1, field="block_size")
    assert read_trace("-", stdin=io.BytesIO(lines(unsized)), block_size=4).block_tokens == 4


def test_the_block_size_is_one():
    expect(lines(SIZED, SIZED | {"block_size": 5}), "5, but 4 before", line=2, field="block_size")
    expect(lines(SIZED, {"hash_ids": [1], "input_length": 1}), "missing", line=2, field="block_size")
    plain = {"hash_ids": [1]}
    expect(lines(plain, plain | {"block_size": 5}), "5, but 512 before", line=2, field="block_size")
    expect(lines(SIZED), "4, but 8 was asked for", line=1, field="block_size", block_size=8)
    expect(lines(plain), "less than 1", field="block_size", block_size=0)
    expect(lines(plain), "refuse", field="on_conflict", on_conflict="guess")


def test_one_id_with_two_parents():
    data = lines({"hash_ids": [5, 6]}, {"hash_ids": [7]}, {"hash_ids": [7, 6]}, {"hash_ids": "later"})
    error = failure(data)
    assert str(error) == (
        "<stdin>, line 3, field 'hash_ids': block 6 comes after block 7, but after block 5 in an earlier "
        "request; --on-conflict split reads it as one block per parent"
    )
    expect(data, "a string, not a list", line=4, field="hash_ids", on_conflict="split")
    expect(lines({"hash_ids": [5]}, {"hash_ids": [6, 5]}), "after the root", line=2, field="hash_ids")
    expect(lines({"hash_ids": [5, 6]}, {"hash_ids": [6]}), "after block 5", line=2, field="hash_ids")


@pytest.mark.parametrize("later", [b"oops\n", b"7\n", b"{}\n", b'{"hash_ids": [-1]}\n', b"\xff\n", b"\0"])
def test_an_earlier_conflict_comes_first(later):
    expect(GOOD + b'{"hash_ids": [2]}\n' + GOOD + later, "block 2 comes after the root", 2, "hash_ids")


@pytest.mark.parametrize("ids", [[1, 1], [3, 1, 2, 3]])
def test_one_id_twice_in_a_path(ids):
    data = lines({"hash_ids": [9]}, {"hash_ids": ids})
    expect(data, f"block {ids[-1]} is twice in one path", line=2, field="hash_ids")
    trace = read_trace("-", stdin=io.BytesIO(data), on_conflict="split")
    assert trace.ids.tolist() == [-1, 9, *ids]


MANY = b"".join(b'{"hash_ids": [%d]}\n' % i for i in range(20_000))


PACKS = {"gzip": gzip.compress, "zstd": zstandard.ZstdCompressor(write_checksum=True).compress}


@pytest.mark.parametrize("pack", PACKS.values(), ids=PACKS)
def test_compressed_data_that_ends_early_or_is_corrupt(pack):
    whole = pack(MANY)
    for size in (len(whole) - 1, len(whole) - 5, len(whole) // 2, 6):
        expect(whole[:size], "cut short")
        expect(pack(MANY[:18]) + whole[:size], "cut short")
    checksum = len(whole) - 8 if pack is gzip.compress else len(whole) - 4
    for at in (checksum, checksum + 3):
        expect(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :], "corrupt")
    expect(whole + b"trailing", "corrupt")
    for start in range(10, len(whole), len(whole) // 15):
        assert message_of(whole[:start] + b"\x55" * 9 + whole[start + 9 :]).isprintable()


def test_zstd_without_zstandard(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "zstandard":
            raise ImportError
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    expect(zstandard.compress(GOOD), "install the package zstandard")


def test_files_that_cannot_be_read(tmp_path, monkeypatch):
    for path, message in (
        (tmp_path / "missing", "no such file or directory"),
        (tmp_path, "is a directory"),
        ("a\0b", "not the name of a file"),
        ("new\nline", "no such file"),
    ):
        with pytest.raises(InputError, match=message) as caught:
            read_trace(path)
        assert str(caught.value).isprintable()

    def denied(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(InputError, match="permission denied"):
        read_trace(tmp_path / "x")


def test_a_line_without_end(monkeypatch):
    monkeypatch.setattr("kvtheory.traces.source.MAX_LINE", 1 << 21)
    expect(GOOD + b" " * (1 << 23), "MiB", line=2)


@given(st.binary(max_size=60) | st.text(max_size=40).map(str.encode))
@settings(deadline=None, max_examples=examples(50))
def test_any_bytes_are_a_trace_or_one_error(data):
    for prefix in (b"", GOOD, b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b'{"hash_ids": '):
        assert message_of(prefix + data).isprintable()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
KEYS = ["hash_ids", "timestamp", "input_length", "block_size", "block_tokens", "chat_id", "type", "turn"]


@given(st.lists(st.dictionaries(st.sampled_from(KEYS), JSON | st.lists(st.integers(-1, 3))), max_size=3))
@settings(deadline=None)
def test_any_record_is_a_request_or_one_error(records):
    assert message_of(lines(*records)).isprintable()
