"""What requests say of themselves, in every engine that runs objects: the same, and in time."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from kvtheory.engine.batching import Batching
from kvtheory.engine.cluster import simulate
from kvtheory.engine.kernel import replay
from kvtheory.errors import PolicyError
from kvtheory.facts import About, Facts
from kvtheory.live import said
from kvtheory.live.together import hits_together
from kvtheory.model import Trace
from kvtheory.object_policy import ObjectPolicy
from kvtheory.routers.round_robin import RoundRobin
from kvtheory.sources import generate
from kvtheory.testing.instances import Instance, columns_for, star
from kvtheory.testing.object_probes import Credulous
from kvtheory.traces import read_trace, write_trace


@pytest.fixture(scope="module")
def chats() -> Trace:
    """Sixty short conversations; the columns are those that the generator makes, and a priority."""
    trace = generate("chat:sessions=60,block=64,seed=2")
    priority = np.arange(len(trace)) * 7 % 5
    return replace(trace, columns={**trace.columns, "priority": priority})


def log_of(policy: type[ObjectPolicy]) -> tuple[type[ObjectPolicy], list[dict[str, Any]]]:
    """The policy, and what it is told."""
    told: list[dict[str, Any]] = []

    def on_arrival(self: ObjectPolicy, about: About) -> None:
        told.append(dict(about))
        policy.on_arrival(self, about)

    return type("Listening", (policy,), {"name": policy.name, "on_arrival": on_arrival}), told


def test_facts_are_the_columns_and_the_length_of_the_prompt(chats: Trace) -> None:
    facts = Facts.of(chats, ("timestamp", "turn", "weather", "input_length"))
    for t in (0, 5, len(chats) - 1):
        assert facts[t] == {
            "timestamp": chats.columns["timestamp"][t],
            "turn": chats.columns["turn"][t],
            "input_length": chats.tree.tokens[chats.tree.path(int(chats.requests[t]))].sum(),
        }
    assert facts[len(chats)] == {}
    told = replace(chats, columns={"input_length": np.full(len(chats), 3)})
    assert Facts.of(told, ("input_length",))[0] == {"input_length": 3}
    assert Facts.of(chats, ())[0] == {}


def test_nobody_may_read_the_future() -> None:
    with pytest.raises(PolicyError, match="reads 'output_length', which nobody knows at arrival"):
        type("Prophet", (ObjectPolicy,), {"name": "prophet", "reads": ("turn", "output_length")})


def test_one_at_a_time_every_engine_tells_the_same(chats: Trace) -> None:
    capacity = int(chats.depths.max()) + 30
    listening, told = log_of(Credulous)
    hits = chats.tree.depth[replay(chats, capacity, listening).hit].tolist()
    expected = [Facts.of(chats, Credulous.reads)[t] for t in range(len(chats))]
    assert told == expected
    told.clear()
    assert hits_together(chats, listening, capacity + 1, 1).tolist() == hits
    assert told == expected
    told.clear()
    alone = Batching(together=1, max_batched_tokens=None)
    run = simulate(chats, 1, capacity, cast(Any, listening), RoundRobin, batching=alone)
    assert run.hit.tolist() == hits
    assert told == expected
    silent = replace(chats, columns={})
    assert chats.tree.depth[replay(silent, capacity, Credulous).hit].tolist() != hits


def test_of_a_batch_each_request_is_told_when_it_is_admitted(chats: Trace) -> None:
    listening, told = log_of(Credulous)
    hits_together(chats, listening, int(chats.depths.max()) + 90, 6, outputs=3)
    assert told == [Facts.of(chats, Credulous.reads)[t] for t in range(len(chats))]


def asked(extra: object, **more: object) -> Any:
    """A request as vLLM has it."""
    fields = {
        "arrival_time": 12.5,
        "num_prompt_tokens": 40,
        "sampling_params": SimpleNamespace(extra_args=extra),
    }
    return SimpleNamespace(**{**fields, **more})


ENGINE = {"timestamp": 12.5, "input_length": 40}


@pytest.mark.parametrize(
    ("extra", "sent"),
    [
        (None, {}),
        ({}, {}),
        ({"other": "words"}, {}),
        ({"kvtheory": {"session": 3, "priority": -1.5}}, {"session": 3, "priority": -1.5}),
        ({"kvtheory.turn": 2, "kvtheory": {"turn": 1, "type": 0}}, {"turn": 2, "type": 0}),
        ({"kvtheory": {"timestamp": 1e9, "input_length": 1}}, {}),
    ],
)
def test_a_client_sends_numbers_by_name(extra: object, sent: dict[str, float]) -> None:
    assert said.said_by(asked(extra)) == {**sent, **ENGINE}


def test_a_pooling_request_has_no_sampling_parameters() -> None:
    assert said.said_by(asked(None, sampling_params=None)) == ENGINE


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({"kvtheory": [1]}, "'kvtheory' is list, not a mapping"),
        ({"kvtheory": {"turn": 2, "type": "text"}}, "'type' is no finite number of 64 bits"),
        ({"kvtheory": {"turn": float("nan")}}, "'turn' is no finite number of 64 bits"),
        ({"kvtheory": {"turn": 10**400}}, "'turn' is no finite number of 64 bits"),
        ({"kvtheory": {"turn": True}}, "'turn' is no finite number of 64 bits"),
        ({"kvtheory": {3: 4}}, "a name is int, not a string"),
        ({"kvtheory.turn": float("inf")}, "'turn' is no finite number of 64 bits"),
    ],
)
def test_what_is_no_mapping_of_numbers_is_ignored_and_said_once(
    extra: object, words: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(said, "_complaints", [])
    with caplog.at_level(logging.WARNING, "vllm.kvtheory"):
        assert said.said_by(asked(extra)) == ENGINE
        assert said.said_by(asked({"kvtheory": 5})) == ENGINE
    assert [record.getMessage().partition("silently: ")[2] for record in caplog.records] == [words]


@pytest.mark.parametrize("form", ["mooncake", "bailian", "kvcache_ai"])
def test_every_format_carries_sessions_and_priorities(form: str, tmp_path: Any) -> None:
    trace = Instance(star(3), 2, (1, 2, 3, 1)).trace
    columns = {"session": np.array([4, 0, 4, 7]), "priority": np.array([0, -3, 2, 2])}
    write_trace(replace(trace, columns=columns), tmp_path / "t.jsonl", form)
    found = read_trace(tmp_path / "t.jsonl").columns
    assert all((found[name] == values).all() for name, values in columns.items())
    write_trace(trace, tmp_path / "t.jsonl", form)
    assert not {"session", "priority"} & read_trace(tmp_path / "t.jsonl").columns.keys()


def test_instances_have_all_kinds_of_columns() -> None:
    names = ("timestamp", "chat_id", "parent_chat_id", "turn", "input_length")
    make = partial(columns_for, names=names)
    assert not make(8)
    assert set(make(9)) == {"chat_id", "turn"}
    full = make(30)
    assert set(full) == {"timestamp", "chat_id", "parent_chat_id", "turn"}
    assert (np.diff(full["timestamp"]) >= 0).all()
    assert (np.diff(full["timestamp"]) == 0).any()
    assert (full["parent_chat_id"] < full["chat_id"]).all()
    assert (full["parent_chat_id"] >= -1).all()
