"""The known formats, by name: files of this folder, then entry points of `kvtheory.trace_formats`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar

from kvtheory.errors import InputError
from kvtheory.registry import known_classes
from kvtheory.traces.conversation import Conversations
from kvtheory.traces.format import Format, TraceFormat

T = TypeVar("T", bound=TraceFormat)


@cache
def every_format() -> dict[str, TraceFormat]:
    """All of them, of requests and of conversations.

    Raises:
        InputError: if an entry point cannot be loaded or is no format, or two have the same name.
    """
    # TraceFormat is abstract, and mypy lets nobody pass such a class as a value
    found = known_classes("trace_formats", TraceFormat, "kvtheory.traces")  # type: ignore[type-abstract]
    return {name: form() for name, form in found.items()}


def request_formats() -> dict[str, Format]:
    """Those of requests, which can be written, too."""
    return {name: form for name, form in every_format().items() if isinstance(form, Format)}


def conversation_formats() -> dict[str, Conversations]:
    """Those of conversations."""
    return {name: form for name, form in every_format().items() if isinstance(form, Conversations)}


def recognise(record: Mapping[str, Any], among: Mapping[str, T], file: str) -> T | None:
    """The format that knows the first record of a file; None if none does.

    Raises:
        InputError: if two do.
    """
    knowing = [form for form in among.values() if form.detect(record)]
    sure = [form for form in knowing if not form.fallback]
    if len(sure) > 1:
        names = " and ".join(sorted(form.name for form in sure))
        raise InputError(f"its first record is one of {names} alike", file=file)
    return next(iter(sure or knowing), None)
