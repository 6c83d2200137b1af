"""No reader falls over damaged input: a short hunt (`make fuzz` for a long one), and what was found."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from fuzz import Hunt, outcome
from profiles import examples
from readers import Reader, readers

from kvtheory.errors import InputError

NAMES = (
    *("trace", "packed trace", "plan", "witness", "certificate", "emitted policy", "costs", "measured rows"),
    *("GPU run", "atlas", "verify", "tree", "requestable", "capacity", "policies", "routers", "incidents"),
    *("arrivals", "workload"),
)

FOUND = [
    ("costs", b"[" * 3000),
    ("costs", b"1," + b"9" * 50_000 + b"\n"),
    ("costs", b"9" * 5000 + b",1\n"),
    ("costs", b'{"' + b"9" * 5000 + b'": 1}'),
    ("costs", "\u00b2,1\n".encode()),
    ("plan", b"sources = " + b"[" * 3000),
    ("plan", b"seeds = " + b"9" * 5000),
    ("measured rows", b'{"a":' * 3000),
    ("measured rows", b"[[2, 6, " + b"9" * 400 + b"], [2, 6, 1], [2, 6, 1], [2, 7, 1]]"),
    ("atlas", b'{"policies": {"lru": {}}}\n'),
    ("atlas", b'{"parents": [0], "policies": []}\n'),
]
"""What made a reader fall over once, cut down."""


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Reader]:
    return readers(tmp_path_factory.mktemp("seeds"))


def test_every_reader_is_hunted(known: dict[str, Reader]) -> None:
    assert set(NAMES) == set(known)


@pytest.mark.parametrize("name", NAMES)
def test_damaged_inputs(name: str, known: dict[str, Reader], tmp_path: Path) -> None:
    hunt = Hunt(name, known[name], tmp_path)
    hunt.run(random.Random(name), tries=examples(10 if name in ("verify", "arrivals") else 50))
    assert not hunt.faults, "\n".join(hunt.traces.values())
    assert hunt.said["taken"] < sum(hunt.said.values()), "nothing was refused: is anything damaged?"


@pytest.mark.parametrize(("name", "data"), FOUND)
def test_what_was_found(name: str, data: bytes, known: dict[str, Reader], tmp_path: Path) -> None:
    words, fault = outcome(known[name], tmp_path / f"input{known[name].suffix}", data)
    assert words != "taken"
    assert not fault, fault


def test_a_reader_that_falls_over_is_found_and_cut_down(tmp_path: Path) -> None:
    """The hunt itself: it must see a crash, an answer that never comes, and a wrong proof."""

    def read(file: Path) -> None:
        if b"B" in file.read_bytes():
            raise KeyError("B")
        raise InputError("no")

    hunt = Hunt("fragile", Reader([b"good"], read), tmp_path)
    hunt.feed(b"a long input with a B in it")
    assert list(hunt.faults.values()) == [b"B"]
    assert "KeyError" in next(iter(hunt.traces.values()))


def test_a_reader_that_never_answers_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(file: Path) -> None:
        while True:
            pass

    monkeypatch.setattr("fuzz.PATIENCE", 0.1)
    hunt = Hunt("busy", Reader([b""], read), tmp_path)
    hunt.feed(b"x")
    assert [words.split()[0] for words in hunt.faults] == ["TooSlow"]


def test_a_false_proof_that_is_accepted_is_found(
    known: dict[str, Reader], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = known["certificate"]
    monkeypatch.setattr("readers.verify_file", lambda file: {"schema": "kvtheory-certificate/1"})
    hunt = Hunt("gullible", reader, tmp_path)
    hunt.feed(reader.seeds[0].replace(b'"ratio": "2/1"', b'"ratio": "5/2"'))
    assert [words.split()[0] for words in hunt.faults] == ["AssertionError"]
