"""Where traces are written to: standard output, compressed files, places that refuse."""

from __future__ import annotations

import gzip
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zstandard

from kvtheory.atomic import atomic_write
from kvtheory.errors import InputError
from kvtheory.model import Trace
from kvtheory.traces import write_trace


def test_writing_to_standard_output(capfdbinary):
    write_trace(Trace.from_parents([0], [1]), "-", "kvcache_ai")
    expected = {"block_size": 1, "hash_ids": [1], "input_length": 1}
    assert json.loads(capfdbinary.readouterr().out) == expected


def test_compressed_writing_is_deterministic_and_real(tmp_path):
    trace = Trace.from_parents([0, 1], [2, 1])
    for suffix, unpack in ((".gz", gzip.decompress), (".zst", lambda b: zstandard.decompress(b, 10**6))):
        first, second = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
        write_trace(trace, first)
        write_trace(trace, second)
        assert first.read_bytes() == second.read_bytes()
        assert unpack(first.read_bytes()).count(b"\n") == 2


def test_unknown_format_and_unwritable_places(tmp_path):
    trace = Trace.from_parents([0], [1])
    with pytest.raises(InputError, match="did you mean 'mooncake'"):
        write_trace(trace, tmp_path / "t", "moncake")
    with pytest.raises(InputError, match="not a finite"):
        write_trace(replace(trace, columns={"timestamp": np.array([np.nan])}), tmp_path / "t")
    for path in (tmp_path / "missing" / "t", tmp_path, tmp_path / "a\0b", tmp_path / ("x" * 300)):
        with pytest.raises(InputError, match="cannot be written"):
            write_trace(trace, path)
    assert list(tmp_path.iterdir()) == []


class TestAtomicWrite:
    @pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
    def test_an_exception_leaves_what_was_there(self, tmp_path, error):
        path = tmp_path / "f"
        path.write_text("old")

        def fail():
            with atomic_write(path) as file:
                file.write("new")
                raise error

        with pytest.raises(error):
            fail()
        assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("f", "old")]

    def test_permissions_and_symbolic_links(self, tmp_path):
        old = os.umask(0o027)
        try:
            with atomic_write(tmp_path / "new", "wb") as file:
                file.write(b"1")
        finally:
            os.umask(old)
        assert (tmp_path / "new").stat().st_mode & 0o777 == 0o640
        (tmp_path / "link").symlink_to("new")
        (tmp_path / "new").chmod(0o600)
        with atomic_write(tmp_path / "link") as file:
            file.write("2")
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "new").read_text() == "2"
        assert (tmp_path / "new").stat().st_mode & 0o777 == 0o600

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
    def test_devices_are_written_to_not_replaced(self):
        with atomic_write("/dev/null") as file:
            file.write("x")
        assert Path("/dev/null").is_char_device()
        with pytest.raises(InputError, match="no space left"), atomic_write("/dev/full") as file:
            file.write("x")
