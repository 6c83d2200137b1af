"""Honest policies that nobody would use: they reach corners of the engines that the registry does not."""

from __future__ import annotations

from typing import Any

from kvtheory.policy import INTEGER, ORDER, Column, Policy, Trait

BONUS = 3
HAS_HOOKS = 2  # also a name inside a kernel template


class AllTied(Policy):
    """Every leaf ranks the same: the engine's tie-breaks decide alone."""

    name = "probe_tied"
    traits = Trait.TOUCH

    @staticmethod
    def rank(s: Any, v: int) -> int:
        return 0


class OddFirst(Policy):
    """Many ties, negative ranks, tuples of three, a finite column, an inner `if`."""

    name = "probe_odd"
    columns = {"parity": Column(0, 1), "count": INTEGER}
    traits = Trait.TOUCH

    @staticmethod
    def on_access(s: Any, v: int, t: int) -> None:
        s.count[v] += 1
        if s.parity[v]:
            s.parity[v] = 0
        else:
            s.parity[v] = 1

    @staticmethod
    def rank(s: Any, v: int) -> tuple[int, int, int]:
        return (-s.parity[v], 0, -min(s.count[v], 3))


class MarkingFifo(Policy):
    """Marking with ties by age: ranks change at a phase change, so neither TOUCH nor RECENCY holds."""

    name = "probe_marking_fifo"
    columns = {"inserted": ORDER}
    traits = Trait.PHASES

    @staticmethod
    def on_insert(s: Any, v: int, t: int) -> None:
        s.inserted[v] = t

    @staticmethod
    def rank(s: Any, v: int) -> tuple[int, int]:
        return (s.marked[v], s.inserted[v])


class Inflation(Policy):
    """GreedyDual's inflation, kept at the root: ranks of nodes that are touched later start higher."""

    name = "probe_inflation"
    columns = {"value": INTEGER}
    traits = Trait.TOUCH

    @staticmethod
    def on_access(s: Any, v: int, t: int) -> None:
        s.value[v] = s.value[0] + 1 + t % 2

    @staticmethod
    def on_evict(s: Any, v: int, t: int) -> None:
        s.value[0] = s.value[v]

    @staticmethod
    def rank(s: Any, v: int) -> int:
        return s.value[v]  # type: ignore[no-any-return]


class RareFirst(Policy):
    """Likelier the less it was used, and by when it came: large weights, constants from the module."""

    name = "probe_rare"
    columns = {"count": INTEGER, "parity": Column(0, 1)}

    @staticmethod
    def on_insert(s: Any, v: int, t: int) -> None:
        s.parity[v] = t % 2

    @staticmethod
    def on_access(s: Any, v: int, t: int) -> None:
        s.count[v] += 1

    @staticmethod
    def weight(s: Any, v: int) -> int:
        return 1 + s.parity[v] + max(0, BONUS * HAS_HOOKS - s.count[v])  # type: ignore[no-any-return]


class SoftMarking(Policy):
    """Marks that only deter: weights change at a phase change, and marked leaves can be drawn."""

    name = "probe_soft_marking"
    traits = Trait.PHASES

    @staticmethod
    def weight(s: Any, v: int) -> int:
        return 1 + BONUS * (1 - s.marked[v])  # type: ignore[no-any-return]


class HookedRLT(Policy):
    """RLT with hooks and columns, for the part of the kernel that RLT itself leaves out."""

    name = "probe_hooked_rlt"
    columns = {"count": INTEGER, "inserted": ORDER}
    traits = Trait.BINARY | Trait.PHASES

    @staticmethod
    def on_insert(s: Any, v: int, t: int) -> None:
        s.inserted[v] = t

    @staticmethod
    def on_access(s: Any, v: int, t: int) -> None:
        s.count[v] += 1

    @staticmethod
    def weight(s: Any, v: int) -> int:
        return (1 - s.marked[v]) * min(1, s.count[v])  # type: ignore[no-any-return]


class HookedBucketing(HookedRLT):
    """Bucketing with hooks and columns, and weights above 1: the part of the kernel that it leaves out."""

    name = "probe_hooked_bucketing"
    traits = Trait.PHASES | Trait.FULL

    @staticmethod
    def weight(s: Any, v: int) -> int:
        return (1 - s.marked[v]) * (1 + s.count[v] % 2)  # type: ignore[no-any-return]


PROBES: dict[str, type[Policy]] = {
    policy.name: policy
    for policy in (
        AllTied,
        OddFirst,
        MarkingFifo,
        Inflation,
        RareFirst,
        SoftMarking,
        HookedRLT,
        HookedBucketing,
    )
}
