"""Which conversation a request goes on with: as its client says, and as its prompt tells."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import pytest

from kvtheory.facts import Facts
from kvtheory.model import Trace
from kvtheory.sessions import Sessions, Turn
from kvtheory.sources import generate


def placed(trace: Trace, *names: str, sessions: Sessions | None = None) -> list[Turn]:
    """What is made of each request when these facts are known."""
    mine, facts = sessions or Sessions(), Facts.of(trace, names)
    found = []
    for t, v in enumerate(trace.requests.tolist()):
        mine.arrive(facts[t])
        found.append(mine.place(trace.tree.path(v)))
    return found


def numbered(labels: list[int]) -> list[int]:
    """Labels by order of first appearance."""
    seen: dict[int, int] = {}
    return [seen.setdefault(label, len(seen)) for label in labels]


@pytest.fixture(scope="module")
def chats() -> Trace:
    """Conversations that overlap in time and share four system prompts; every turn adds whole blocks."""
    return generate("chat:sessions=80,turns=4,spread=0,systems=4,block=16,seed=5")


def truth(trace: Trace) -> list[int]:
    """The conversation of each request, by following parents."""
    chain: dict[int, int] = {}
    for chat, parent in zip(
        trace.columns["chat_id"].tolist(), trace.columns["parent_chat_id"].tolist(), strict=True
    ):
        chain[chat] = chain.get(parent, chat)
    return numbered(list(chain.values()))


def test_prompts_tell_what_the_columns_say(chats: Trace) -> None:
    expected = truth(chats)
    assert 0 < max(expected) < len(chats) - 1
    for names in ((), ("chat_id", "parent_chat_id"), ("timestamp", "input_length")):
        found = placed(chats, *names)
        assert numbered([turn.session for turn in found]) == expected
        assert [turn.turn for turn in found] == chats.columns["turn"].tolist()


def test_gaps_and_growth_are_those_of_the_conversation(chats: Trace) -> None:
    last: dict[int, tuple[float, int]] = {}
    gaps: list[float] = []
    sessions = Sessions()
    found = placed(chats, "timestamp", "input_length", sessions=sessions)
    for t, (turn, session) in enumerate(zip(found, truth(chats), strict=True)):
        now = chats.columns["timestamp"][t]
        tokens = int(chats.tree.tokens[chats.tree.path(int(chats.requests[t]))].sum())
        before = last.get(session)
        assert turn.tokens == tokens
        assert (turn.gap is None) == (before is None)
        assert before is None or turn.gap == pytest.approx(now - before[0])
        assert turn.growth == (None if before is None else tokens - before[1])
        gaps += [] if turn.gap is None else [turn.gap]
        last[session] = now, tokens
    assert sessions.gaps == len(gaps)
    assert sessions.mean_gap() == pytest.approx(sum(gaps) / len(gaps))
    assert Sessions().mean_gap() is None


def of_paths(
    *paths: str, said: dict[int, dict[str, float]] | None = None, mine: Sessions | None = None
) -> list[int]:
    """Sessions of prompts whose blocks are letters."""
    sessions = mine or Sessions()
    found = []
    for t, path in enumerate(paths):
        sessions.arrive((said or {}).get(t, {}))
        found.append(sessions.place([path[: i + 1] for i in range(len(path))]).session)
    return found


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (("ab", "abc", "abcd"), [0, 0, 0]),  # each prompt contains the one before
        (("abx", "abcy", "abcdz"), [0, 0, 0]),  # but for its last block, which was not full
        (("sx", "sy", "sz", "sw"), [0, 0, 1, 2]),  # one block after a system prompt: mistaken once
        (("sab", "scd", "sef"), [0, 1, 2]),  # a shared beginning is no conversation
        (("abc", "abc", "abc"), [0, 0, 0]),  # the same prompt again
        (("abcd", "abcde", "abx"), [0, 0, 1]),  # a branch goes on as another
        (("abcd", "abcdex", "abcdfy", "abcdfgz"), [0, 0, 1, 1]),  # and has turns of its own
        (("", "", "a"), [0, 1, 2]),
    ],
)
def test_what_prompts_tell(paths: tuple[str, ...], expected: list[int]) -> None:
    assert of_paths(*paths) == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ([{"session": 7}, {"session": 8}, {"session": 7}], [0, 1, 0]),
        ([{"chat_id": 3}, {"chat_id": 3}, {"chat_id": 4}], [0, 0, 1]),
        ([{"chat_id": i, "parent_chat_id": p} for i, p in enumerate((-1, 0, 0, 1))], [0, 0, 1, 0]),
        ([{"session": 5, "chat_id": i, "parent_chat_id": -1} for i in range(3)], [0, 0, 0]),
        ([{"session": 5}, {}, {"session": 5}], [0, 0, 0]),  # one that says nothing is known by its prompt
    ],
)
def test_clients_are_believed(said: list[dict[str, float]], expected: list[int]) -> None:
    assert of_paths(*["abcdef"[: 2 + i] for i in range(len(said))], said=dict(enumerate(said))) == expected


def test_a_client_may_count_the_turns() -> None:
    sessions = Sessions()
    turns = []
    for about in ({"session": 1, "turn": 4}, {"session": 1}, {"session": 1, "turn": -3}):
        sessions.arrive(about)
        turns.append(sessions.place(["a"]).turn)
    assert turns == [4, 5, 1]


def test_time_is_seconds_or_requests_and_never_goes_back() -> None:
    cases = (
        ([3.5, 2.0, 9.0, None], [0, 0, 5.5, 5.5]),
        ([None, None, None], [1, 2, 3]),
        ([None, 1e9, 1e9 + 5], [1, 1, 6]),  # who begins to say it late does not make time jump
    )
    for stamps, times in cases:
        sessions = Sessions()
        for stamp, now in zip(stamps, times, strict=True):
            sessions.arrive({} if stamp is None else {"timestamp": stamp})
            sessions.place([stamp])
            assert sessions.now == now


class Forgetful(Sessions):
    """Remembers ten requests."""

    MEMORY: ClassVar[int] = 10


def test_what_is_remembered_is_bounded_and_written_down() -> None:
    sessions: Any = Forgetful()
    for t in range(95):
        sessions.arrive({"session": t % 3 if t % 2 else 1000 + t, "timestamp": t / 2})
        sessions.place([f"{t % 4}", f"{t % 4}.{t}"])
    assert len(sessions.known) <= 20
    assert len(sessions.named) <= 20
    assert len(sessions.owner) <= 44
    other = Forgetful()
    other.restore(json.loads(json.dumps(sessions.snapshot())))
    for mind in (sessions, other):
        mind.arrive({"session": 1, "timestamp": 99.0})
    assert other.place(["x"]) == sessions.place(["x"])
    assert other.snapshot() == sessions.snapshot()
