"""Policies that are objects: what they are told, asked and remember."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from kvtheory.engine.object_reference import ObjectReference
from kvtheory.facts import About
from kvtheory.model import ROOT
from kvtheory.object_policy import reads
from kvtheory.rng import SplitMix64
from kvtheory.testing.instances import (
    Instance,
)
from kvtheory.testing.subject import Subject, expect


def asked(subject: Subject, instance: Instance, seed: int) -> None:
    """The object sees the request before the eviction, is offered what may go and no more, and is obeyed."""
    engine = _object_engine(subject, instance, seed)
    parent = (-1, *instance.parents)
    inserted: dict[int, int] = {}
    offered: set[int] = set()
    clock, path, named = itertools.count(), list[int](), list[int]()
    request, insert, leaf = engine.mind.on_request, engine.mind.on_insert, engine.mind.on_leaf
    choose = engine.mind.victim

    def on_request(told: Sequence[int], cached: Sequence[int]) -> None:
        held = list(itertools.takewhile(inserted.__contains__, path))
        expect((list(told), list(cached)) == (path, held), f"told {told}, {cached}, not {path}, {held}")
        offered.difference_update(path)
        request(told, cached)

    def on_insert(v: int) -> None:
        inserted[v] = next(clock)
        expect(v in path and (parent[v] == ROOT or parent[v] in inserted), f"{v} comes in before its parent")
        insert(v)

    def on_leaf(v: int) -> None:
        offered.add(v)
        leaf(v)

    def victim(leaves: Sequence[int]) -> int | None:
        inner = {parent[u] for u in inserted}
        free = {u for u in inserted if u not in inner and u not in path}
        expect(len(leaves) == len(free) and set(leaves) == free, f"offers {leaves}, and {free} may go")
        expect(free <= offered, f"no word that {free - offered} may go")
        choice = choose(leaves)
        expect(choice is None or choice in free, f"{subject.policy.name} names {choice}, not one of {free}")
        named.append(min(free, key=lambda u: (-instance.depth[u], inserted[u])) if choice is None else choice)
        del inserted[named[-1]]
        return choice

    hooks = {"on_request": on_request, "on_insert": on_insert, "on_leaf": on_leaf, "victim": victim}
    engine.mind.__dict__.update(hooks)
    for v in instance.requests:
        path[:] = instance.path(v)
        named.clear()
        victims = engine.serve(v)[1]
        expect(victims == named, f"request for {v}: evicts {victims}, and {named} were named")


def informed(subject: Subject, instance: Instance, seed: int) -> None:
    """What a request says of itself reaches an object that reads it, before the request; no other."""
    policy: Any = subject.policy
    names, trace = reads(policy), subject.trace(instance)
    expected: list[Any] = []
    for t, v in enumerate(instance.requests):
        about = {name: trace.columns[name][t].item() for name in names if name in trace.columns}
        if "input_length" in names:
            about["input_length"] = instance.depth[v]
        expected += [about] * bool(names) + [instance.path(v)]
    heard: list[Any] = []

    class Listener(policy):  # type: ignore[misc]
        name = policy.name

        def on_arrival(self, about: About) -> None:
            heard.append(dict(about))
            super().on_arrival(about)

        def on_request(self, path: Sequence[int], cached: Sequence[int]) -> None:
            heard.append(list(path))
            super().on_request(path, cached)

    listening = replace(subject, policy=Listener)
    listening.run(instance, seed)
    expect(heard == expected, f"the engine tells {heard}, not {expected}")
    heard.clear()
    listening.replay(trace, instance.capacity, Listener, seed)
    expect(heard == expected, f"the kernel tells {heard}, not {expected}")


def remembers(subject: Subject, instance: Instance, seed: int) -> None:
    """Another object, restored from a snapshot that went through JSON, has the same future and end."""
    half = len(instance.requests) // 2
    engine = _object_engine(subject, instance, seed)
    engine.run(instance.requests[:half])
    state, written = engine.snapshot(), json.dumps(engine.mind.snapshot())
    future = engine.run(instance.requests[half:])
    other = _object_engine(subject, instance, seed + 1)
    other.restore(state)
    other.mind = subject.policy(instance.capacity, SplitMix64(seed + 1))
    other.mind.restore(json.loads(written))
    expect(json.dumps(other.mind.snapshot()) == written, f"restored, it is not what {written} says")
    expect(other.run(instance.requests[half:]) == future, f"{written} does not determine the future")
    expect(other.mind.snapshot() == engine.mind.snapshot(), f"{written} does not determine the end")


def _object_engine(subject: Subject, instance: Instance, seed: int) -> ObjectReference:
    engine = subject.start(instance, seed)
    assert isinstance(engine, ObjectReference)
    return engine
