"""What an eviction policy is: columns, hooks, one of `rank` and `weight`, traits and claims.

A policy owns a preference and nothing else. The engine owns residency, the leaf rule, pins, phases, every
random draw and every tie-break (deepest first, then earliest inserted). See :mod:`kvtheory.model` for the
order in which the hooks are called. The second kind of policy is in :mod:`kvtheory.object_policy`.
"""

from __future__ import annotations

import enum
import keyword
import re
from collections.abc import Callable, MutableSequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from kvtheory.errors import PolicyError

if TYPE_CHECKING:
    from kvtheory.width import Widths


@dataclass(frozen=True)
class Column:
    """One integer per node, 0 when the node enters the cache and again when it leaves.

    Args:
        low, high: the values it can take, where that is finite (makes exact state graphs finite).
        order: only comparisons between values matter, so that values may be replaced by their ranks.
    """

    low: int | None = None
    high: int | None = None
    order: bool = False


ORDER = Column(order=True)
INTEGER = Column()


class Trait(enum.Flag):
    """What a policy promises about itself; each is tested by behaviour, and lets an engine be faster.

    RECENCY: the victim is always the least recently requested leaf (deepest first among equals).
    TOUCH: a node's rank changes only in a request whose path contains it.
    BINARY: weights are 0 or 1, and change only in a request whose path contains the node, or at a phase
    change.
    PHASES: `s.marked[v]` is read: 1 for nodes requested in the current phase.
    FULL: with PHASES, and a weight of 0 wherever `marked` is 1: a phase ends inside the request that does
    not fit into it, once its unmarked nodes have been evicted, and not before that request. Every phase that
    ends has then filled the cache.
    """

    NONE = 0
    RECENCY = enum.auto()
    TOUCH = enum.auto()
    BINARY = enum.auto()
    PHASES = enum.auto()
    FULL = enum.auto()


class Status(enum.Enum):
    """How far a claim is known to hold."""

    PROVED = "proved"
    VERIFIED = "verified to a size"
    CONJECTURE = "conjecture"


@dataclass(frozen=True)
class Claim:
    """An upper bound on the competitive ratio, for unit miss costs, from the empty cache.

    Args:
        formula: the bound in the theory's words, for docs and tables.
        value: the bound from the tree's widths; None where there is none on that instance.
        tight: the bound is attained on every tree, not only an upper bound.
        status: proved, verified or conjectured; only proved claims appear as `bound` in results.
    """

    formula: str
    value: Callable[[Widths], int | Fraction]
    tight: bool = False
    status: Status = Status.PROVED


class State(Protocol):
    """What a hook sees: one integer per node and declared column, plus `marked` under PHASES."""

    def __getattr__(self, name: str) -> MutableSequence[int]: ...


NAME = re.compile("[a-z][a-z0-9_]*")


class Described:
    """What the two kinds of policy say of themselves alike.

    Attributes:
        name: the policy's name in the registry and on the command line.
        source: citation keys, space separated.
        claims: bounds on the competitive ratio.
        unbounded: the competitive ratio is infinite on some tree.
        columns: declared columns, by name; none where the policy is an object.
        traits: promises, see :class:`Trait`; none where the policy is an object.
    """

    name: ClassVar[str] = ""
    source: ClassVar[str] = ""
    claims: ClassVar[tuple[Claim, ...]] = ()
    unbounded: ClassVar[bool] = False
    columns: ClassVar[dict[str, Column]] = {}
    traits: ClassVar[Trait] = Trait.NONE

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if not NAME.fullmatch(cls.name) and Described not in cls.__bases__:
            raise PolicyError(f"{cls.__name__}: needs a name (a-z, then a-z, 0-9, _), not '{cls.name}'")

    @classmethod
    def randomised(cls) -> bool:
        """Whether the policy draws."""
        raise NotImplementedError

    @classmethod
    def summary(cls) -> str:
        """First line of the docstring, without the citation."""
        line = (cls.__doc__ or "").strip().splitlines()[0] if cls.__doc__ else ""
        return line.split(" [")[0].rstrip(".") + "."


class Policy(Described):
    """Base of every policy. Subclass it, give it a name, and define exactly one of `rank` and `weight`.

    Hooks and `rank`/`weight` are static methods of `(s, v, t)` and `(s, v)`: integers in, integers out, no
    names from outside but integer constants of their module, because the same source is compiled into the
    kernel, multiplied into exact distributions and run inside vLLM. What needs more than that, memory of
    nodes that have left the cache above all, is an :class:`kvtheory.object_policy.ObjectPolicy`.
    """

    on_access: ClassVar[Any] = None
    on_insert: ClassVar[Any] = None
    on_evict: ClassVar[Any] = None
    rank: ClassVar[Any] = None
    weight: ClassVar[Any] = None

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if (cls.rank is None) == (cls.weight is None):
            raise PolicyError(f"{cls.__name__}: define exactly one of rank and weight")
        for column in cls.columns:
            if not NAME.fullmatch(column) or keyword.iskeyword(column):
                raise PolicyError(f"{cls.__name__}: '{column}' is no name for a column")
        if "marked" in cls.columns:
            raise PolicyError(f"{cls.__name__}: the column 'marked' belongs to the engine")
        if Trait.BINARY in cls.traits and cls.weight is None:
            raise PolicyError(f"{cls.__name__}: BINARY speaks of weights, but this policy ranks")
        if Trait.FULL in cls.traits and (cls.weight is None or Trait.PHASES not in cls.traits):
            raise PolicyError(f"{cls.__name__}: FULL is for weights and needs PHASES")

    @classmethod
    def randomised(cls) -> bool:
        """Whether the policy draws."""
        return cls.weight is not None
