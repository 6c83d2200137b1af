"""What a family of sequences forces, as data: the tests hold every statement, the documentation prints it.

A statement counts: so many misses of these policies, so many of OPT, on the very trace that the family makes
from given parameters, from the empty cache. Ratios follow. The families' modules hold their statements in a
tuple `FORCES`; :func:`statements` collects them.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Generic, Literal, TypeVar

from kvtheory.model import Trace
from kvtheory.policy import Policy
from kvtheory.registry import policies
from kvtheory.sources import workloads

DETERMINISTIC = "every deterministic policy"
EVERY = "every policy"
Found = TypeVar("Found")


@dataclass(frozen=True)
class Forced:
    """One statement at given parameters; all numbers are exact.

    Attributes:
        capacity: nodes of the cache that the sequence is aimed at.
        misses: missed nodes of each of the policies, in expectation over their draws.
        opt: missed nodes of OPT.
        limit: what misses/opt tends to as the sequence grows; None where it grows without bound.
    """

    capacity: int
    misses: Fraction
    opt: Fraction
    limit: Fraction | None

    @property
    def ratio(self) -> Fraction:
        """What this trace proves: misses/opt."""
        return self.misses / self.opt


@dataclass(frozen=True)
class Statement(Generic[Found]):
    """What a family forces on somebody.

    Args:
        family: the generator.
        against: names of those that it is about, or in words.
        ratio: the limit of the ratio, in the theory's words.
        source: citation key of the argument; empty where it is ours.
        count: the numbers, from the family's parameters (and the setting, if the case has one) by name.
    """

    family: Callable[..., Trace]
    against: tuple[str, ...] | str
    ratio: str
    source: str
    count: Callable[..., Found]

    @property
    def name(self) -> str:
        """The family's name on the command line."""
        return self.family.__name__

    def parameters(self, **given: Any) -> dict[str, Any]:
        """All parameters of the family: those given, and the defaults."""
        declared = inspect.signature(self.family).parameters
        return {name: given.get(name, parameter.default) for name, parameter in declared.items()}

    def at(self, **given: Any) -> Found:
        """The numbers of a case."""
        chosen = {**self.parameters(**given), **given}
        wanted = inspect.signature(self.count).parameters
        return self.count(**{name: chosen[name] for name in wanted if name in chosen})

    def spec(self, **given: Any) -> str:
        """The parameters among a case as a source of the command line."""
        own = self.parameters()
        return f"{self.name}:" + ",".join(f"{name}={value}" for name, value in given.items() if name in own)


@dataclass(frozen=True)
class Forces(Statement[Forced]):
    """What one family forces on policies: `against` names them, or is `DETERMINISTIC` or `EVERY`.

    Args:
        cases: parameters at which the tests hold the statement; the first also stands in the documentation.
        misses_are: whether `Forced.misses` is exact or a lower bound.
        opt_is: whether `Forced.opt` is exact or an upper bound.
        limit_is: whether `Forced.limit` is exact or a lower bound.
        longer: the parameter that makes the sequence longer.
        averaged: the numbers are means over the family's own draws, not of each trace.
    """

    cases: tuple[Mapping[str, Any], ...]
    misses_are: Literal["==", ">="] = "=="
    opt_is: Literal["==", "<="] = "=="
    limit_is: Literal["==", ">="] = "=="
    longer: str = "requests"
    averaged: bool = False

    def victims(self) -> list[type[Policy]]:
        """The registered policies that the statement is about."""
        known = policies()
        if isinstance(self.against, tuple):
            return [known[name] for name in self.against]
        return [p for _, p in sorted(known.items()) if self.against == EVERY or not p.randomised()]


def statements() -> list[Forces]:
    """The statements of every installed workload, by the workload's name."""
    return collected("FORCES")


def collected(tuples: str) -> list[Any]:
    """What stands in the tuples of this name in the modules of all workloads, by the workload's name."""
    modules = dict.fromkeys(generator.__module__ for _, generator in sorted(workloads().items()))
    return [found for name in modules for found in getattr(sys.modules[name], tuples, ())]
