"""What is held to the contract of policies, and what breaks it on purpose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from kvtheory.engine import kernel
from kvtheory.engine.object_reference import ObjectReference, reference_engine
from kvtheory.engine.reference import ReferenceEngine
from kvtheory.facts import Facts
from kvtheory.model import Trace
from kvtheory.object_policy import reads
from kvtheory.offline.belady import Schedule, belady
from kvtheory.policy import Policy, Trait
from kvtheory.testing.instances import (
    Instance,
    columns_for,
)


@dataclass(frozen=True)
class Subject:
    """What is held to the contract. Where the policy reads facts, most instances have some of them.

    Args:
        policy: the policy.
        engine: its meaning.
        replay: its kernel, as :func:`kvtheory.engine.kernel.replay`.
        optimum: OPT, as :func:`kvtheory.offline.belady.belady`.
    """

    policy: Any
    engine: type[ReferenceEngine] = ReferenceEngine
    replay: Callable[..., kernel.Replay] = kernel.replay
    optimum: Callable[..., Schedule] = belady

    def __post_init__(self) -> None:
        if self.engine is ReferenceEngine:
            object.__setattr__(self, "engine", reference_engine(self.policy))

    def start(self, instance: Instance, seed: int = 0, *, check_traits: bool = False) -> ReferenceEngine:
        """The reference engine, empty, in possession of the facts."""
        engine = self.engine(instance.tree, instance.capacity, self.policy, seed, check_traits=check_traits)
        if isinstance(engine, ObjectReference):
            engine.facts = Facts.of(self.trace(instance), reads(self.policy))
        return engine

    def trace(self, instance: Instance) -> Trace:
        """The instance as a trace, with facts for this policy."""
        names = reads(self.policy)
        return (
            replace(instance.trace, columns=columns_for(len(instance.requests), names))
            if names
            else instance.trace
        )

    def run(self, instance: Instance, seed: int = 0) -> tuple[list[int], list[list[int]]]:
        """The reference engine's hits and victims, request by request."""
        return self.start(instance, seed).run(instance.requests)


@dataclass(frozen=True)
class Mutant:
    """A broken subject.

    Args:
        subject: what is broken.
        caught_by: the name of the check that must fail on it.
    """

    subject: Subject
    caught_by: str


Each = Callable[[Subject, Instance, int], None]


def expect(condition: bool, message: str) -> None:
    """Raise AssertionError unless the condition holds, under `python -O` too."""
    if not condition:
        raise AssertionError(message)


def without(policy: type[Policy], dropped: Trait) -> type[Policy]:
    """The policy that promises less: same hooks, without these traits."""
    kept = policy.traits & ~dropped
    if (policy, kept) not in _WEAKENED:
        _WEAKENED[policy, kept] = type(
            policy.__name__, (policy,), {"traits": kept, "__doc__": policy.__doc__}
        )
    return _WEAKENED[policy, kept]


_WEAKENED: dict[tuple[type[Policy], Trait], type[Policy]] = {}
