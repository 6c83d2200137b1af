"""What each policy that reads facts is for: where it hits more, and that it does not without them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scans import Said

from kvtheory.engine.kernel import replay
from kvtheory.model import Trace
from kvtheory.policies.lpc import LPC
from kvtheory.policies.lru import LeafLRU
from kvtheory.policies.priority import Priority
from kvtheory.policies.session_eta import SessionETA
from kvtheory.policies.tail_lru import TailLRU
from kvtheory.policies.workload_aware import WorkloadAware


def rounds(count: int, requests: Callable[[int], Sequence[tuple[str, Said]]]) -> Trace:
    """A trace from rounds of (prompt, what it says); the blocks of a prompt are its words."""
    ids: dict[str, int] = {"": 0}
    parents: list[int] = []
    asked, said = [], []
    for i in range(count):
        for prompt, about in requests(i):
            words, above = prompt.split(), ""
            for word in words:
                name = f"{above} {word}"
                if name not in ids:
                    parents.append(ids[above])
                    ids[name] = len(ids)
                above = name
            asked.append(ids[above])
            said.append(about)
    columns = {name: np.array([about[name] for about in said]) for name in said[0]}
    trace = Trace.from_parents(parents, asked)
    return Trace(trace.tree, trace.requests, columns=columns)


def hit(trace: Trace, capacity: int, policy: Any, who: str, value: int, *, blind: bool = False) -> float:
    """Share of the accesses of requests with `who` equal to `value` that hit, in the second half."""
    shown = Trace(trace.tree, trace.requests, columns={} if blind else trace.columns)
    counted = trace.columns[who] == value
    counted[: len(trace) // 2] = False
    hits = trace.tree.depth[replay(shown, capacity, policy).hit]
    return float(hits[counted].sum() / trace.depths[counted].sum())


def test_priority_protects() -> None:
    """A document that matters is asked for after nine that do not, in a cache for eight blocks."""
    trace = rounds(
        60, lambda i: [("law 1 2", {"priority": 1})] + [(f"x{i}.{j} 1", {"priority": 0}) for j in range(9)]
    )
    assert hit(trace, 8, LeafLRU, "priority", 1) == 0
    assert hit(trace, 8, Priority, "priority", 1) == 1
    assert hit(trace, 8, Priority, "priority", 1, blind=True) == 0


def test_session_eta_knows_who_comes_back_when() -> None:
    """Two agents call a tool every 2 s; ten readers come back every 60 s, in turn. There is room for six."""

    def requests(i: int) -> list[tuple[str, Said]]:
        now = 6.0 * i
        agents = [
            (f"agent{a} 1 2", {"who": 0, "session": a, "timestamp": now + 2 * k})
            for k in range(2)
            for a in (0, 1)
        ]
        return [*agents, (f"reader{i % 10} 1 2", {"who": 1, "session": 2 + i % 10, "timestamp": now + 4})]

    trace = rounds(120, requests)
    assert hit(trace, 18, LeafLRU, "who", 1) == 0
    assert hit(trace, 18, SessionETA, "who", 0) == 1
    assert hit(trace, 18, SessionETA, "who", 1) > 0.25
    # four readers of ten fit beside the agents, so that OPT keeps three through a round of the others
    assert hit(trace, 18, SessionETA, "who", 1) <= 0.4
    assert (
        hit(trace, 18, SessionETA, "who", 1, blind=True) > 0.2
    )  # prompts that repeat tell conversations, too


def test_workload_aware_keeps_the_category_that_returns() -> None:
    """Chats (type 0) speak by turns; calls of an API (type 1) never repeat, four to a chat."""
    trace = rounds(
        150,
        lambda i: (
            [(f"chat{i % 5} 1 2", {"type": 0, "turn": 2})]
            + [(f"call{i}.{j} 1 2", {"type": 1, "turn": 1}) for j in range(4)]
        ),
    )
    assert hit(trace, 24, LeafLRU, "type", 0) == 0
    assert hit(trace, 24, WorkloadAware, "type", 0) == 1
    assert hit(trace, 24, WorkloadAware, "type", 0, blind=True) > 0.9  # calls are first turns


def test_lpc_learns_which_conversations_go_on() -> None:
    """The same with types that say nothing of the turn: all that is known is learned."""
    trace = rounds(
        300,
        lambda i: (
            [
                (
                    f"chat{i // 40}.{i % 5} {' '.join(map(str, range(1 + i % 40 // 5)))}",
                    {"type": 0, "timestamp": 5.0 * i},
                )
            ]
            + [(f"call{i}.{j} 1 2", {"type": 1, "timestamp": 5.0 * i + j}) for j in range(1, 5)]
        ),
    )
    lru, lpc = (hit(trace, 60, policy, "type", 0) for policy in (LeafLRU, LPC))
    assert lru < 0.1
    assert lpc > 0.6


def test_tail_lru_gives_up_hits_for_the_tail() -> None:
    """Of 40 and of 8 blocks 20 may miss: short conversations are in time without a cache, long ones with."""
    policy = type("Twenty", (TailLRU,), {"name": "twenty", "TARGET": 1.0, "SPEED": 20.0})

    def requests(i: int) -> list[tuple[str, Said]]:
        long, short = f"long{i % 4} " + " ".join(map(str, range(39))), " ".join(map(str, range(7)))
        return [(long, {"long": 1})] + [(f"short{j} {short}", {"long": 0}) for j in range(4)]

    trace = rounds(80, requests)
    late = {}
    for rule in (LeafLRU, policy):
        hits = trace.tree.depth[replay(trace, 120, rule).hit]
        late[rule.name] = int((trace.depths - hits > 20)[len(trace) // 2 :].sum())
    assert late == {"lru": 40, "twenty": 0}
    assert hit(trace, 120, LeafLRU, "long", 0) == 1
    assert hit(trace, 120, policy, "long", 0) < 0.9
