"""A file of conversations becomes a :class:`Trace`: every prompt is the conversation so far.

The files say nothing of time, so the order is that of 128 clients who take turns, each with one conversation
of the file; when one ends its client takes the next. Arrivals are for whoever serves the trace.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Any

import numpy as np

from kvtheory.errors import InputError
from kvtheory.model import PrefixTree, Trace
from kvtheory.traces.builder import TreeBuilder
from kvtheory.traces.columns import kind_of
from kvtheory.traces.conversation import Blocks, Conversations, Message
from kvtheory.traces.formats import conversation_formats, recognise
from kvtheory.traces.source import Lines

COLUMNS = ("output_length", "chat_id", "parent_chat_id", "turn")
CLIENTS = 128
BLOCK = 16  # tokens, as vLLM has it
LARGEST_RECORD = 1 << 28  # characters
AFTER = {"[": "v]", ",": "v", "]": ""}
SPACE = re.compile(r"\s*")
Numbered = tuple[int, Mapping[str, Any]]


def find_format(name: str, chunk: Lines) -> Conversations | None:
    """The format of a file that begins so; None if it holds no conversations.

    Raises:
        InputError: if two formats know it.
    """
    try:
        _, record = next(records("", iter([chunk])))
    except (InputError, StopIteration):
        return None
    if "hash_ids" in record:
        return None
    return recognise(record, conversation_formats(), name)


def records(name: str, chunks: Iterator[Lines]) -> Iterator[Numbered]:
    """The line on which each record begins, and the record: of an array of objects, or of JSON lines.

    Raises:
        InputError: for the first that is no JSON object.
    """
    start = next((chunk for chunk in chunks if any(line.strip() for line in chunk.lines)), None)
    if start is None:
        return
    rest = chain([start], chunks)
    if next(line for line in start.lines if line.strip()).lstrip().startswith("["):
        yield from _of_array(name, rest)
        return
    for chunk in rest:
        for number, line in enumerate(chunk.lines, chunk.first):
            if line.strip():
                yield number, _checked(name, number, _parsed(name, number, line))


def _parsed(name: str, number: int, line: str) -> object:
    try:
        return json.loads(line)
    except RecursionError:
        raise InputError("nested too deeply", file=name, line=number) from None
    except ValueError:
        raise InputError("not JSON", file=name, line=number) from None


def _checked(name: str, number: int, record: object) -> Mapping[str, Any]:
    if not isinstance(record, dict):
        raise InputError(f"{kind_of(record)}, not an object", file=name, line=number)
    return record


def _of_array(name: str, chunks: Iterable[Lines]) -> Iterator[Numbered]:
    """Element after element; one that is not whole yet waits until as much text again has come."""
    decoder = json.JSONDecoder()
    text, at, line, enough = "", 0, 1, 0
    wanted = "["  # what may come next; "v" is any value
    for chunk in chain(chunks, [None]):
        if chunk is not None:
            text, at = text[at:] + "\n".join(chunk.lines) + "\n", 0
            if len(text) < enough:
                continue
        while True:
            blank = SPACE.match(text, at)
            assert blank is not None
            line += text.count("\n", at, blank.end())
            at = blank.end()
            if at == len(text):
                break
            if text[at] in wanted:
                wanted = AFTER[text[at]]
                at += 1
                continue
            if "v" not in wanted:
                what = f"no {' or '.join(wanted)} here" if wanted else "more text after the end of the array"
                raise InputError(what, file=name, line=line)
            try:
                record, end = decoder.raw_decode(text, at)
            except RecursionError:
                raise InputError("nested too deeply", file=name, line=line) from None
            except ValueError:
                enough = 2 * (len(text) - at)
                if chunk is None or enough > LARGEST_RECORD:
                    raise InputError("not JSON, or cut short", file=name, line=line) from None
                break
            yield line, _checked(name, line, record)
            line += text.count("\n", at, end)
            at, enough, wanted = end, 0, ",]"
    if wanted:
        raise InputError("the array has no end: the file is cut short", file=name, line=line)


class _Client:
    """One conversation on its way."""

    def __init__(self, messages: list[Message], block: int) -> None:
        self.messages = deque(messages)
        self.blocks = Blocks(block)
        self.last, self.turn = -1, 0

    @property
    def asking(self) -> bool:
        """Whether a prompt is left."""
        return any(message.asks for message in self.messages)

    def ask(self) -> tuple[list[int], list[int], int]:
        """Ids and tokens of the next prompt, and the tokens of its reply."""
        waiting = self.messages
        while not waiting[0].asks:
            self.blocks.add(waiting.popleft())
        while waiting and waiting[0].asks:
            self.blocks.add(waiting.popleft())
        ids, tokens = self.blocks.prompt()
        answer = 0
        while waiting and not waiting[0].asks:
            answer += self.blocks.add(waiting.popleft())
        self.turn += 1
        return ids, tokens, answer


def read_conversations(
    name: str, chunks: Iterator[Lines], form: Conversations, block: int | None = None
) -> Trace:
    """Read conversations as a trace with `output_length`, `chat_id`, `parent_chat_id` and `turn`.

    Prompts in a row count as one, replies before the first prompt as part of it, and replies in a row as one.

    Args:
        name: what errors call the file.
        chunks: its lines.
        form: its format.
        block: tokens in a block; default 16.

    Raises:
        InputError: for the first record that is not right, or if nobody asks anything.
    """
    builder = TreeBuilder(block or BLOCK)
    talks = (
        _Client(_messages(name, line, record, form), builder.block_size)
        for line, record in records(name, chunks)
    )
    source = (client for client in talks if client.asking)
    clients = deque(islice(source, CLIENTS))
    columns: dict[str, list[int]] = {key: [] for key in COLUMNS}
    while clients:
        client = clients.popleft()
        ids, tokens, answer = client.ask()
        number = len(columns["turn"])
        _add(builder, ids, tokens)
        for key, value in zip(COLUMNS, (answer, number, client.last, client.turn), strict=True):
            columns[key].append(value)
        client.last = number
        clients.extend([client] if client.asking else islice(source, 1))
    if not columns["turn"]:
        raise InputError("no requests", file=name)
    parent, sizes, numbers, requests = builder.finish()
    return Trace(
        PrefixTree(parent, sizes),
        requests,
        block_tokens=builder.block_size,
        source=name,
        ids=numbers,
        columns={key: np.array(values, np.int64) for key, values in columns.items()},
    )


def _add(builder: TreeBuilder, ids: list[int], tokens: list[int]) -> None:
    conflict = builder.add(
        np.array(ids, np.int64), np.array([len(ids)], np.int64), block_tokens=np.array(tokens, np.int64)
    )
    assert conflict is None, "two blocks of one hash"


def _messages(name: str, line: int, record: Mapping[str, Any], form: Conversations) -> list[Message]:
    try:
        return form.messages(record)
    except ValueError as error:
        message, field = error.args
        raise InputError(message, file=name, line=line, field=field) from None
