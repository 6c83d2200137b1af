"""Policies that lie about themselves, each with the check that must catch it."""

from __future__ import annotations

import itertools
from typing import Any

from kvtheory.policies.fifo import LeafFIFO
from kvtheory.policies.lfu import LeafLFU
from kvtheory.policies.lru import LeafLRU
from kvtheory.policies.marking import Marking
from kvtheory.policies.random import RandomLeaf
from kvtheory.policies.rlt import RLT
from kvtheory.policy import INTEGER, ORDER, Claim, Column, Policy, Trait
from kvtheory.testing.subject import Mutant, Subject


class FalseRecency(LeafFIFO):
    """First in, first out, declared to be recency order."""

    name = "false_recency"
    traits = Trait.TOUCH | Trait.RECENCY


class FalseTouch(Marking):
    """Ranks change when a phase ends, declared to change on access alone."""

    name = "false_touch"
    traits = Trait.PHASES | Trait.TOUCH


class GlobalTouch(Policy):
    """Ranks change whenever anything is evicted, declared to change on access alone."""

    name = "global_touch"
    columns = {"seen": INTEGER}
    traits = Trait.TOUCH

    @staticmethod
    def on_access(s: Any, v: int, t: int) -> None:
        s.seen[v] = t

    @staticmethod
    def on_evict(s: Any, v: int, t: int) -> None:
        s.seen[0] = s.seen[0] + 1

    @staticmethod
    def rank(s: Any, v: int) -> int:
        return (s.seen[v] + s.seen[0]) % 3  # type: ignore[no-any-return]


class HeavyBinary(Policy):
    """Weights of 1 and 2, declared to be 0 or 1."""

    name = "heavy_binary"
    columns = {"count": INTEGER}
    traits = Trait.BINARY

    @staticmethod
    def on_access(s: Any, v: int, t: int) -> None:
        s.count[v] += 1

    @staticmethod
    def weight(s: Any, v: int) -> int:
        return 1 + min(1, s.count[v] // 2)  # type: ignore[no-any-return]


class UnseenBinary(Policy):
    """Weights of 0 and 1 that turn with every eviction, wherever it is."""

    name = "unseen_binary"
    columns = {"side": INTEGER}
    traits = Trait.BINARY

    @staticmethod
    def on_insert(s: Any, v: int, t: int) -> None:
        s.side[v] = t % 2

    @staticmethod
    def on_evict(s: Any, v: int, t: int) -> None:
        s.side[0] = 1 - s.side[0]

    @staticmethod
    def weight(s: Any, v: int) -> int:
        if s.side[v] == s.side[0]:
            return 1
        return 0


class UndeclaredPhases(Policy):
    """RLT that forgot to declare PHASES: the kernel would read marks that nobody keeps."""

    name = "undeclared_phases"
    traits = Trait.BINARY

    @staticmethod
    def weight(s: Any, v: int) -> int:
        return 1 - s.marked[v]  # type: ignore[no-any-return]


class FalseFull(Policy):
    """Draws marked nodes, declared to draw unmarked ones alone."""

    name = "false_full"
    traits = Trait.PHASES | Trait.FULL

    @staticmethod
    def weight(s: Any, v: int) -> int:
        return 1 + s.marked[v]  # type: ignore[no-any-return]


class FalseOrder(Policy):
    """Reads more than the order of an ORDER column."""

    name = "false_order"
    columns = {"last_use": ORDER}
    traits = Trait.TOUCH

    @staticmethod
    def on_access(s: Any, v: int, t: int) -> None:
        s.last_use[v] = t

    @staticmethod
    def rank(s: Any, v: int) -> int:
        return s.last_use[v] // 4  # type: ignore[no-any-return]


class FalseRange(Policy):
    """Counts past the end of its declared range."""

    name = "false_range"
    columns = {"count": Column(0, 2)}
    traits = Trait.TOUCH

    @staticmethod
    def on_access(s: Any, v: int, t: int) -> None:
        s.count[v] += 1

    @staticmethod
    def rank(s: Any, v: int) -> int:
        return s.count[v]  # type: ignore[no-any-return]


class ReadsTheId(Policy):
    """Ranks by node id: a name, not a fact."""

    name = "reads_the_id"
    traits = Trait.TOUCH

    @staticmethod
    def rank(s: Any, v: int) -> int:
        return v


class DrawsByTheId(Policy):
    """Weights by node id."""

    name = "draws_by_the_id"

    @staticmethod
    def weight(s: Any, v: int) -> int:
        return 1 + v % 3


class ReadsTheSize(Policy):
    """Ranks by the size of the tree, which a live cache does not know."""

    name = "reads_the_size"
    columns = {"last_use": ORDER}

    @staticmethod
    def on_access(s: Any, v: int, t: int) -> None:
        s.last_use[v] = t

    @staticmethod
    def rank(s: Any, v: int) -> int:
        return (s.last_use[v] * 7) % len(s.last_use)  # type: ignore[no-any-return]


_GLOBAL = itertools.count()


class HiddenGlobal(Policy):
    """Keeps state outside its columns, where no snapshot and no seed can reach it."""

    name = "hidden_global"
    columns = {"stamp": INTEGER}

    @staticmethod
    def on_access(s: Any, v: int, t: int) -> None:
        s.stamp[v] = next(_GLOBAL) * 5 % 7

    @staticmethod
    def rank(s: Any, v: int) -> int:
        return s.stamp[v]  # type: ignore[no-any-return]


class BoastfulLFU(LeafLFU):
    """LFU with LRU's bound."""

    name = "boastful_lfu"
    claims = LeafLRU.claims


class BoastfulRLT(RLT):
    """RLT with the bound it is often credited with."""

    name = "boastful_rlt"
    claims = (Claim("H_w", lambda w: w.harmonic_w()),)


class BoastfulRandom(RandomLeaf):
    """Below what any randomised algorithm can reach."""

    name = "boastful_random"
    claims = (Claim("1", lambda w: 1),)


class ModestClaimBelowTheBound(LeafLRU):
    """Claims W - 2 where nothing deterministic is better than W - 1."""

    name = "claims_w_minus_2"
    claims = (Claim("max(1, W - 2)", lambda w: max(1, w.W - 2)),)


POLICY_MUTANTS: dict[str, Mutant] = {
    "false RECENCY": Mutant(Subject(FalseRecency), "traits"),
    "false RECENCY, seen by the kernel": Mutant(Subject(FalseRecency), "kernel"),
    "false TOUCH at a phase change": Mutant(Subject(FalseTouch), "traits"),
    "false TOUCH, seen by the kernel": Mutant(Subject(FalseTouch), "kernel"),
    "false TOUCH by eviction": Mutant(Subject(GlobalTouch), "traits"),
    "false BINARY: weight 2": Mutant(Subject(HeavyBinary), "traits"),
    "false BINARY: weight 2, seen by the kernel": Mutant(Subject(HeavyBinary), "kernel"),
    "false BINARY: weight changing unseen": Mutant(Subject(UnseenBinary), "traits"),
    "false FULL": Mutant(Subject(FalseFull), "traits"),
    "marks without PHASES": Mutant(Subject(UndeclaredPhases), "declared"),
    "false ORDER": Mutant(Subject(FalseOrder), "columns"),
    "false range": Mutant(Subject(FalseRange), "columns"),
    "node id as rank": Mutant(Subject(ReadsTheId), "relabel"),
    "node id as weight": Mutant(Subject(DrawsByTheId), "relabel"),
    "size of the tree as rank": Mutant(Subject(ReadsTheSize), "pad"),
    "hidden state, seen by its source": Mutant(Subject(HiddenGlobal), "declared"),
    "hidden state, seen by repeating": Mutant(Subject(HiddenGlobal), "repeat"),
    "hidden state, seen by restoring": Mutant(Subject(HiddenGlobal), "snapshot"),
    "LFU claims LRU's bound": Mutant(Subject(BoastfulLFU), "claims"),
    "RLT claims H_w": Mutant(Subject(BoastfulRLT), "claims"),
    "random claims 1": Mutant(Subject(BoastfulRandom), "claims"),
    "LRU claims W - 2": Mutant(Subject(ModestClaimBelowTheBound), "claims"),
}
"""By what is wrong with it."""
