"""Files of conversations: prompts that grow, told from their content, and every bad file one clear line."""

import gzip
import io
import json
import random

import numpy as np
import pytest

from kvtheory.engine.arrivals import sessions
from kvtheory.errors import InputError
from kvtheory.traces import conversations as module
from kvtheory.traces import read_trace
from kvtheory.traces.sharegpt import ShareGPT

TALK = [[("human", "Why is the sky blue, and why is the sea?"), ("gpt", "Rayleigh." * 20), ("human", "And?")]]


def sharegpt(talks):
    return [
        {"id": f"c{i}", "conversations": [{"from": who, "value": text} for who, text in talk]}
        for i, talk in enumerate(talks)
    ]


def ultrachat(talks):
    return [{"id": str(i), "data": [text for _, text in talk]} for i, talk in enumerate(talks)]


def roles(talks):
    names = {"human": "user", "gpt": "assistant"}
    return [
        {"prompt": "x", "messages": [{"role": names[who], "content": text} for who, text in talk]}
        for talk in talks
    ]


def array(records, indent=None):
    return json.dumps(records, indent=indent).encode()


def lines(records):
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def read(data, **options):
    return read_trace("-", stdin=io.BytesIO(data), **options)


def drawn(seed, count):
    """Conversations that begin alike more often than by chance, prompt and reply in turn."""
    dice = random.Random(seed)
    openings = ["Hello! " * 30, "Écris une fonction — s'il te plaît. " * 9, "x"]
    talks = []
    for _ in range(count):
        talk = [("human", dice.choice(openings) + "ab" * dice.randrange(3))]
        for turn in range(dice.randrange(6)):
            talk.append((("gpt", "human")[turn % 2], "z" * dice.randrange(200)))
        talks.append(talk)
    return talks


def tokens_of(messages):
    """A plain restatement: 4 bytes a token, none across messages, the first knows who speaks."""
    found = []
    for who, text in messages:
        data = text.encode()
        for at in range(0, len(data), 4):
            found.append((who if at == 0 else "", data[at : at + 4]))
    return found


@pytest.mark.parametrize("write", [sharegpt, ultrachat, roles])
@pytest.mark.parametrize("block", [1, 4, 16])
def test_prompts_share_the_full_blocks_that_they_have_in_common(write, block):
    talks = drawn(5, 12)
    trace = read(lines(write(talks)), block_size=block)
    prompts = []  # in the order of clients who take turns
    for turn in range(3):
        for talk in talks:
            asking = [i for i, (who, _) in enumerate(talk) if who == "human"]
            if turn < len(asking):
                prompts.append(tokens_of(talk[: asking[turn] + 1]))
    total, parent = trace.tree.path_sums(trace.tree.tokens), trace.tree.parent
    assert [int(total[v]) for v in trace.requests] == [len(prompt) for prompt in prompts]

    def path(v):
        return {v, *path(int(parent[v]))} if v else set()

    paths = [path(int(v)) for v in trace.requests]
    for i, one in enumerate(prompts):
        for j, two in enumerate(prompts[:i]):
            same = next((k for k, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), None)
            same = min(len(one), len(two)) if same is None else same
            shared = sum(int(trace.tree.tokens[v]) for v in paths[i] & paths[j])
            assert shared == (len(one) if one == two else same // block * block)


def test_one_content_many_files():
    talks = drawn(7, 200)
    traces = [
        read(data)
        for write in (sharegpt, ultrachat, roles)
        for data in (
            array(write(talks)),
            array(write(talks), indent=2),
            lines(write(talks)),
            gzip.compress(array(write(talks), indent=1), mtime=0),
            b"\xef\xbb\xbf\n\n  " + array(write(talks)).replace(b"}, {", b"}\n,\n\n{"),
        )
    ]
    first = traces[0]
    assert first.block_tokens == 16
    for trace in traces[1:]:
        assert np.array_equal(trace.requests, first.requests)
        assert np.array_equal(trace.tree.parent, first.tree.parent)
        assert all(np.array_equal(trace.columns[key], first.columns[key]) for key in first.columns)


def test_an_array_that_comes_in_pieces(monkeypatch):
    """Pieces of every size, so that records are cut anywhere."""
    talks = drawn(3, 20)
    whole = array(sharegpt(talks), indent=1)
    wanted = read(whole).requests.tolist()
    text = whole.decode().split("\n")
    for size in (1, 2, 7, 100):
        chunks = [module.Lines(i + 1, text[i : i + size]) for i in range(0, len(text), size)]
        trace = module.read_conversations("x", iter(chunks), ShareGPT())
        assert trace.requests.tolist() == wanted


def test_clients_take_turns_and_conversations_keep_together(monkeypatch):
    monkeypatch.setattr(module, "CLIENTS", 2)
    talks = [[("human", f"{i}{'q' * 70}"), ("gpt", "a" * 9)] * turns for i, turns in enumerate((3, 1, 2))]
    trace = read(lines(sharegpt(talks)))
    assert sessions(trace).tolist() == [0, 1, 0, 2, 0, 2]
    assert trace.columns["turn"].tolist() == [1, 1, 2, 1, 3, 2]
    assert trace.columns["parent_chat_id"].tolist() == [-1, -1, 0, -1, 2, 3]
    assert trace.columns["output_length"].tolist() == [3] * 6


def test_what_nobody_answers_and_what_nobody_asked():
    talk = [("gpt", "Welcome."), ("human", "a" * 8), ("human", "b" * 8), ("gpt", "c" * 8), ("gpt", "d" * 4)]
    trace = read(lines(sharegpt([talk, [("gpt", "alone")], []])))
    assert trace.tree.path_sums(trace.tree.tokens)[trace.requests].tolist() == [6]
    assert trace.columns["output_length"].tolist() == [3]


def test_who_speaks_is_part_of_a_prompt():
    one = [("human", "abcd" * 16), ("gpt", "efgh"), ("human", "x")]
    two = [("human", "abcd" * 16), ("human", "efgh"), ("human", "x")]
    trace = read(lines(sharegpt([one, two])), block_size=1)
    shared = {int(trace.requests[0])}
    assert len(trace) == 3
    assert int(trace.tree.depth[trace.requests[1]]) == 18
    assert shared.isdisjoint({int(trace.requests[1])})


@pytest.mark.parametrize(
    ("data", "message", "line", "field"),
    [
        (b'{"conversations": 7}', "not a list of messages", 1, "conversations"),
        (b'{"data": "hello"}', "not a list of messages", 1, "data"),
        (b'{"data": ["a", 7]}', "message 2 is not a string", 1, "data"),
        (b'{"messages": [{"role": "user"}]}', "message 1 has no 'content' that is a string", 1, "messages"),
        (b'{"messages": ["hello"]}', "message 1 has no 'role' that is a string", 1, "messages"),
        (b'{"conversations": [{"from": 1, "value": "a"}]}', "message 1 has no 'from'", 1, "conversations"),
        (lines(sharegpt(TALK)) + b'\n{"conversations": [', "not JSON", 3, None),
        (lines(sharegpt(TALK)) + b"[1]\n", "a list, not an object", 2, None),
        (lines(sharegpt(TALK)) + b'{"id": 4}\n', "not a list of messages", 2, "conversations"),
        (array(sharegpt(TALK * 3), indent=1)[:-1], "the array has no end", 53, None),
        (array(sharegpt(TALK * 3), indent=1)[:-9], "not JSON, or cut short", 36, None),
        (array(sharegpt(TALK)) + b"\n]", "more text after the end", 2, None),
        (array(sharegpt(TALK * 2)).replace(b"}, {", b"} {", 1).replace(b"]}, {", b"]} {"), "", 1, None),
        (array([*sharegpt(TALK), 7]), "an integer, not an object", 1, None),
        (b'[\n{"data": ["a"]},\n\n]', "not JSON, or cut short", 4, None),
        (b'[\n{"data": ["a"]}\n{"data": ["b"]}]', "no , or ] here", 3, None),
        (b'{"data": []}\n', "no requests", None, None),
        (b'[{"data": []}]', "no requests", None, None),
    ],
)
def test_bad_files_are_one_line(data, message, line, field):
    with pytest.raises(InputError) as caught:
        read(data)
    error = caught.value
    assert message in str(error)
    assert str(error).isprintable()
    assert error.file == "<stdin>"
    assert (error.line, error.field) == (line, field)


def test_traces_with_block_ids_are_none(tmp_path):
    assert read(b'{"hash_ids": [1, 2], "data": ["a"], "messages": []}\n').tree.n == 2


def test_the_command_reads_them(tmp_path):
    from typer.testing import CliRunner

    from kvtheory.cli import app

    file = tmp_path / "talks.json"
    file.write_bytes(array(sharegpt(drawn(1, 30)), indent=2))
    result = CliRunner().invoke(
        app, ["route", str(file), "--workers", "2", "--capacity", "20%", "--json", "-"]
    )
    assert result.exit_code == 0
    assert json.loads(result.stdout)["requests"] == len(read_trace(file))
