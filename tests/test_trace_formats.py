"""Formats are found by looking, and a file is in one of them or the reader says why not."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import pytest

from kvtheory import registry
from kvtheory.errors import InputError
from kvtheory.traces import formats as module
from kvtheory.traces import read_trace
from kvtheory.traces.conversation import Conversations
from kvtheory.traces.formats import conversation_formats, every_format, recognise, request_formats
from kvtheory.traces.sharegpt import ShareGPT


class Rival(ShareGPT):
    """Takes what another format knows."""

    name = "rival"


class Unfinished(Conversations):
    """Does not say what the messages are."""

    name = "unfinished"

    def detect(self, record: Mapping[str, Any]) -> bool:
        return "x" in record


class Point:
    """An entry point."""

    name = "plugin"

    def __init__(self, value: Any) -> None:
        self.value = value

    def load(self) -> Any:
        return self.value


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> list[Point]:
    """Entry points of a plugin, which the reader knows of."""
    points: list[Point] = []
    monkeypatch.setattr(registry, "entry_points", lambda group: points)
    monkeypatch.setattr(module, "every_format", every_format.__wrapped__)
    return points


def test_the_files_of_the_folder_are_the_formats() -> None:
    assert set(request_formats()) == {"bailian", "kvcache_ai", "mooncake"}
    assert set(conversation_formats()) == {"sharegpt", "ultrachat"}
    assert {name for name, form in every_format().items() if form.fallback} == {"mooncake"}


def test_a_file_that_two_formats_know_is_refused(installed: list[Point]) -> None:
    file = b'{"conversations": [{"from": "human", "value": "Why?"}]}'
    assert len(read_trace("-", stdin=io.BytesIO(file))) == 1
    installed.append(Point(Rival))
    with pytest.raises(InputError, match="<stdin>: its first record is one of rival and sharegpt alike"):
        read_trace("-", stdin=io.BytesIO(file))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (dict, r"entry point 'plugin' of kvtheory\.trace_formats is not a TraceFormat"),
        (Unfinished, r"entry point 'plugin' of kvtheory\.trace_formats does not define messages"),
        (type("Other", (ShareGPT,), {}), "two trace formats are named 'sharegpt'"),
    ],
)
def test_a_plugin_that_is_no_format_is_refused(installed: list[Point], value: Any, message: str) -> None:
    installed.append(Point(value))
    with pytest.raises(InputError, match=message):
        request_formats()


def test_nothing_is_known_of_a_record_without_keys() -> None:
    assert recognise({}, request_formats(), "x") is None
