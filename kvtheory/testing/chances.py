"""Exact chances of tiny instances, by serving each request once for every draw it could have made."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from kvtheory.engine.object_reference import ObjectReference
from kvtheory.engine.reference import ReferenceEngine
from kvtheory.rng import SplitMix64

BELIEF_LIMIT = 400


class TooManyStates(Exception):  # noqa: N818 - a limit, not a fault
    """The instance is not tiny: its belief would hold too many states."""


class Script(SplitMix64):
    """A generator that draws what it is told, then zeros, and remembers every bound it was asked for."""

    def __init__(self, script: list[int]) -> None:
        super().__init__(0)
        self.script = script
        self.bounds: list[int] = []

    def below(self, bound: int) -> int:
        """Return the next scripted value."""
        at = len(self.bounds)
        self.bounds.append(bound)
        return self.script[at] if at < len(self.script) else 0


def branches(engine: ReferenceEngine, v: int) -> Iterator[tuple[Fraction, int, tuple[int, ...]]]:
    """Serve `v` once for every sequence of draws: its chance, the hit and the victims.

    While a branch is yielded the engine is in the state that the branch leads to.
    """
    before = engine.snapshot()
    script: list[int] = []
    while True:
        dice = Script(script)
        engine.restore(before, dice)
        hit, victims = engine.serve(v)
        yield Fraction(1, math.prod(dice.bounds)), hit, tuple(victims)
        script = script + [0] * (len(dice.bounds) - len(script))
        while script and script[-1] + 1 == dice.bounds[len(script) - 1]:
            script.pop()
        if not script:
            return
        script[-1] += 1


Belief = dict[Any, tuple[Fraction, dict[str, Any]]]


def certain(engine: ReferenceEngine) -> Belief:
    """The belief that the engine is in its present state."""
    return {None: (Fraction(1), engine.snapshot())}


def advance(
    engine: ReferenceEngine, belief: Belief, v: int, limit: int = BELIEF_LIMIT
) -> tuple[Belief, Fraction]:
    """Serve `v` in every state of a belief; return the next belief and the expected misses.

    States that differ in the order of candidates alone are one state: order decides which draw picks which
    candidate, not how likely each is.

    Raises:
        TooManyStates: if the belief outgrows `limit`.
    """
    after: Belief = {}
    misses = Fraction(0)
    for chance, state in belief.values():
        engine.restore(state)
        for share, hit, _ in branches(engine, v):
            misses += chance * share * (engine.depth[v] - engine.depth[hit])
            key = _state_key(engine)
            if key in after:
                total, kept = after[key]
                after[key] = total + chance * share, kept
            elif len(after) == limit:
                raise TooManyStates
            else:
                after[key] = chance * share, engine.snapshot()
    return after, misses


def _state_key(engine: ReferenceEngine) -> Any:
    if isinstance(engine, ObjectReference):
        mind = {name: value for name, value in engine.mind.snapshot().items() if name != "rng"}
        return frozenset(engine.cached), tuple(engine.candidates), json.dumps(mind)
    columns = tuple((name, tuple(values)) for name, values in sorted(vars(engine.columns).items()))
    return frozenset(engine.cached), frozenset(engine.candidates), columns


def expected_misses(
    engine: ReferenceEngine, requests: tuple[int, ...], limit: int = BELIEF_LIMIT
) -> Fraction:
    """Exact expected misses of serving the requests.

    Raises:
        TooManyStates: if some belief outgrows `limit`.
    """
    belief, total = certain(engine), Fraction(0)
    for v in requests:
        belief, misses = advance(engine, belief, v, limit)
        total += misses
    return total


def victim_chances(engine: ReferenceEngine, requests: tuple[int, ...]) -> dict[tuple[int, ...], Fraction]:
    """The exact distribution of the whole sequence of victims."""
    if not requests:
        return {(): Fraction(1)}
    found: dict[tuple[int, ...], Fraction] = {}
    for chance, _, victims in branches(engine, requests[0]):
        state = engine.snapshot()
        for rest, share in victim_chances(engine, requests[1:]).items():
            key = victims + rest
            found[key] = found.get(key, Fraction(0)) + chance * share
        engine.restore(state)
    return found
