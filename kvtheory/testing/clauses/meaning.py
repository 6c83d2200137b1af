"""The meaning: legal states, the right victim, phases and draws."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from kvtheory.engine.reference import ReferenceEngine
from kvtheory.model import ROOT
from kvtheory.policy import Trait
from kvtheory.testing.chances import (
    Script,
)
from kvtheory.testing.instances import (
    Instance,
    star,
)
from kvtheory.testing.subject import Subject, expect


def legal(subject: Subject, instance: Instance, seed: int) -> None:
    """Every state is closed and fits; victims were cached, unpinned leaves, and no more than needed."""
    engine = subject.start(instance, seed)
    parent = (-1, *instance.parents)
    cached: set[int] = set()
    for t, v in enumerate(instance.requests):
        where = f"request {t}"
        path = instance.path(v)
        held = list(itertools.takewhile(cached.__contains__, path))
        hit, victims = engine.serve(v)
        expect(hit == (held[-1] if held else ROOT), f"{where}: hit {hit} is not the longest cached prefix")
        excess = len(cached) + len(path) - len(held) - instance.capacity
        expect(len(victims) == max(0, excess), f"{where}: {len(victims)} victims, {excess} nodes too many")
        cached.update(path)
        for u in victims:
            expect(u in cached, f"{where}: victim {u} is not cached")
            expect(u not in path, f"{where}: victim {u} is pinned")
            expect(all(parent[w] != u for w in cached), f"{where}: victim {u} is not a leaf")
            cached.remove(u)
        expect(len(cached) <= instance.capacity, f"{where}: over capacity")
        expect(cached.issuperset(path), f"{where}: the path does not stay")
        expect(all(parent[u] == ROOT or parent[u] in cached for u in cached), f"{where}: not closed")
        _consistent(engine, cached, parent, where)


def _consistent(engine: ReferenceEngine, cached: set[int], parent: Sequence[int], where: str) -> None:
    """The engine's own books agree with a set of nodes."""
    expect(engine.cached == cached, f"{where}: the engine holds other nodes than its victims say")
    children = [sum(parent[u] == p for u in cached) for p in range(len(parent))]
    expect(engine.cached_children == children, f"{where}: children are miscounted")
    leaves = {u for u in cached if not children[u]}
    if (weight := getattr(engine.policy, "weight", None)) is not None:
        if Trait.BINARY in engine.policy.traits:
            leaves = {u for u in leaves if weight(engine.columns, u)}
        expect(sorted(engine.candidates) == sorted(leaves), f"{where}: candidates are not the leaves")
    for name in engine.policy.columns:
        stale = [u for u, x in enumerate(getattr(engine.columns, name)) if x and u and u not in cached]
        expect(not stale, f"{where}: column {name} was not reset at nodes {stale}")


def choice(subject: Subject, instance: Instance, seed: int) -> None:
    """The victim has the smallest rank, ties deepest first, then earliest inserted; or it has weight."""
    engine = subject.start(instance, seed)
    rank, weight = subject.policy.rank, subject.policy.weight
    parent = (-1, *instance.parents)
    inserted: dict[int, int] = {}
    clock = itertools.count()
    original = engine._evict
    path: list[int] = []

    def audited(pinned: int) -> int:
        inserted.update({u: next(clock) for u in path if u not in inserted})
        inner = {parent[u] for u in inserted}
        free = [u for u in inserted if u not in inner and u not in path]
        if rank is not None:
            best = min(free, key=lambda u: (rank(engine.columns, u), -instance.depth[u], inserted[u]))
            allowed = {best}
        else:
            assert weight is not None
            allowed = {u for u in free if weight(engine.columns, u) > 0}
            if not allowed and Trait.FULL in subject.policy.traits:
                allowed = {u for u in free if engine.columns.marked[u]}
        victim = original(pinned)
        expect(victim in allowed, f"request {engine.time}: evicts {victim}, not one of {sorted(allowed)}")
        del inserted[victim]
        return victim

    engine._evict = audited  # type: ignore[method-assign]
    for v in instance.requests:
        path = instance.path(v)
        engine.serve(v)
        inserted.update({u: next(clock) for u in path if u not in inserted})


def phases(subject: Subject, instance: Instance, seed: int) -> None:
    """Marks follow the naive definition: a phase ends when marks and path together would not fit."""
    engine = subject.start(instance, seed)
    marks: list[int] = []
    for t, v in enumerate(instance.requests):
        path = instance.path(v)
        if len({*marks, *path}) > instance.capacity:
            marks = []
        marks += [u for u in path if u not in marks]
        engine.serve(v)
        expect(engine.marked_order == marks, f"request {t}: marked {engine.marked_order}, not {marks}")
        flags = [int(u in marks) for u in range(len(instance.parents) + 1)]
        expect(list(engine.columns.marked) == flags, f"request {t}: marks are not the flags")


def draws(subject: Subject, instance: Instance, seed: int) -> None:
    """Of all values of a draw, as many pick a leaf as it has weight."""
    engine = subject.start(instance, seed)
    weight = subject.policy.weight
    assert weight is not None
    for v in instance.requests:
        before = engine.snapshot()
        total, fair, found = 1, dict[int, int](), dict[int, int]()
        draw = 0
        while draw < total:
            engine.restore(before)
            dice = _Watch([draw], engine, weight, set(instance.path(v)))
            engine.rng = dice
            victims = engine.serve(v)[1]
            if not dice.bounds:
                break
            total, fair = dice.bounds[0], dice.weights
            found[victims[0]] = found.get(victims[0], 0) + 1
            draw += 1
        expect(found == fair, f"request for {v}: weights {fair}, but draws pick {found}")
        engine.restore(before)
        engine.serve(v)


class _Watch(Script):
    """A script that looks at the leaves' weights at its first draw."""

    def __init__(
        self, script: list[int], engine: ReferenceEngine, weight: Callable[[Any, int], int], path: set[int]
    ) -> None:
        super().__init__(script)
        self.engine, self.weight, self.path = engine, weight, path
        self.weights: dict[int, int] = {}

    def below(self, bound: int) -> int:
        if not self.bounds:
            inner = {self.engine.parent[u] for u in self.engine.cached}
            free = self.engine.cached - inner - self.path
            weights = {u: int(self.weight(self.engine.columns, u)) for u in free}
            self.weights = {u: weight for u, weight in weights.items() if weight}
        return super().below(bound)


def fair_generator(subject: Subject) -> None:
    """The engine's generator is the documented one, and uniform (chi-square, fixed seeds, p < 1e-9)."""
    engine = subject.start(Instance(star(2), 1, ()), 1234567)
    expect(engine.rng.next() == 6457827717110365317, "the generator is not SplitMix64 at the seed")
    for bound, critical in ((2, 38.0), (3, 42.0), (5, 48.0), (7, 54.0)):
        for streams in (False, True):
            counts = [0] * bound
            for i in range(2100):
                if streams or i == 0:
                    engine = subject.start(Instance(star(2), 1, ()), i)
                counts[engine.rng.below(bound)] += 1
            mean = 2100 / bound
            statistic = sum((count - mean) ** 2 for count in counts) / mean
            expect(statistic < critical, f"draws below {bound} are not uniform: {counts}")
