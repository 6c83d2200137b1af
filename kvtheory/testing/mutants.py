"""Broken policies, engines, kernels and optima, each with the check that must catch it: the suite's own test.

A check that no mutant can fail demands nothing. Each subject here differs from an honest one in one place.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from kvtheory.engine import kernel
from kvtheory.engine.reference import ReferenceEngine
from kvtheory.model import Trace
from kvtheory.offline.belady import Schedule, belady
from kvtheory.policies.bucketing import Bucketing
from kvtheory.policies.fifo import LeafFIFO
from kvtheory.policies.lfu import LeafLFU
from kvtheory.policies.lru import LeafLRU
from kvtheory.policies.marking import Marking
from kvtheory.policies.mru import LeafMRU
from kvtheory.policies.random import RandomLeaf
from kvtheory.policies.rlt import RLT
from kvtheory.policy import INTEGER, ORDER, Claim, Column, Policy, Trait
from kvtheory.rng import SplitMix64
from kvtheory.testing.contract import Mutant, Subject, without
from kvtheory.testing.object_mutants import OBJECT_MUTANTS
from kvtheory.testing.probes import AllTied, RareFirst

# --- policies that lie about themselves -----------------------------------------------------------------


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


# --- engines that break the model -----------------------------------------------------------------------


class InnerEvictor(ReferenceEngine):
    """Considers inner nodes for eviction."""

    def leaves(self, pinned: int) -> list[int]:
        path = set(self._path(pinned))
        return sorted(self.cached - path, key=lambda u: self.inserted_at[u]) or super().leaves(pinned)


class PinEvictor(ReferenceEngine):
    """Forgets the pin."""

    def leaves(self, pinned: int) -> list[int]:
        free = [u for u in self.cached if self.cached_children[u] == 0]
        return sorted(free, key=lambda u: self.inserted_at[u])


class DrawnPinEvictor(ReferenceEngine):
    """Lets the tip of the path join the candidates before its request is over."""

    def _access(self, u: int) -> None:
        super()._access(u)
        if self.cached_children[u] == 0 and u not in self.candidates:
            self._join(u)

    def _join(self, u: int) -> None:
        if u not in self.candidates:
            super()._join(u)


class OneTooMany(ReferenceEngine):
    """Evicts one node more than it must, where it evicts at all."""

    def serve(self, v: int) -> tuple[int, list[int]]:
        hit, victims = super().serve(v)
        if victims and self.leaves(v) and self.policy.rank is not None:
            victims.append(self._evict(v))
        return hit, victims


class OneTooFew(ReferenceEngine):
    """Holds one node more than fits."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.capacity += 1


class Flatterer(ReferenceEngine):
    """Reports the whole path as hit, every third request."""

    def serve(self, v: int) -> tuple[int, list[int]]:
        hit, victims = super().serve(v)
        return (v if self.time % 3 == 0 else hit), victims


class WrongTies(ReferenceEngine):
    """Breaks ties latest inserted first, whatever the depth."""

    def _smallest_rank(self, pinned: int) -> int:
        rank = self.policy.rank
        assert rank is not None
        return min(self.leaves(pinned), key=lambda u: (rank(self.columns, u), -self.inserted_at[u]))


class KeepsColumns(ReferenceEngine):
    """Leaves a victim's columns as they were."""

    def _evict(self, pinned: int) -> int:
        kept = {name: list(getattr(self.columns, name)) for name in self.policy.columns}
        victim = super()._evict(pinned)
        for name, values in kept.items():
            getattr(self.columns, name)[victim] = values[victim]
        return victim


class EarlyPhases(ReferenceEngine):
    """Ends a phase when the cache would be full, not when it would overflow."""

    def _advance_phase(self, path: list[int]) -> None:
        self.capacity -= 1
        try:
            super()._advance_phase(path)
        finally:
            self.capacity += 1


class ForgetsThePath(ReferenceEngine):
    """Clears all marks when a full phase ends, those of the path that is being served too."""

    def _end_full_phase(self, pinned: int) -> None:
        super()._end_full_phase(pinned)
        for u in self.marked_order:
            self.columns.marked[u] = 0
        self.marked_order = []


class KnowsNoFullPhases(ReferenceEngine):
    """Ends every phase when the request arrives."""

    def _advance_phase(self, path: list[int]) -> None:
        honest = self.policy
        self.policy = without(honest, Trait.FULL)
        try:
            super()._advance_phase(path)
        finally:
            self.policy = honest


class CountsThePathTwice(ReferenceEngine):
    """Adds the length of the path to the marks, marked nodes included."""

    def _advance_phase(self, path: list[int]) -> None:
        fresh = sum(1 for u in path if not self.columns.marked[u])
        self.capacity -= len(path) - fresh
        try:
            super()._advance_phase(path)
        finally:
            self.capacity += len(path) - fresh


class LosesCandidates(ReferenceEngine):
    """Of the leaves that a phase change frees, forgets the last where there are two."""

    def _advance_phase(self, path: list[int]) -> None:
        before = len(self.candidates)
        super()._advance_phase(path)
        if len(self.candidates) > before + 1 and Trait.BINARY in self.policy.traits:
            self.candidates.pop()


class MarksTheTip(ReferenceEngine):
    """Marks the requested node and not its ancestors."""

    def _advance_phase(self, path: list[int]) -> None:
        super()._advance_phase(path[-1:])


class UnfairDraw(ReferenceEngine):
    """Never draws the last candidate, where there are two."""

    def _draw(self, pinned: int) -> int:
        self.rng = _Shorter(self.rng)
        try:
            return super()._draw(pinned)
        finally:
            self.rng = self.rng.inner


class _Shorter(SplitMix64):
    def __init__(self, inner: SplitMix64) -> None:
        super().__init__(0)
        self.inner = inner

    def below(self, bound: int) -> int:
        return min(self.inner.below(bound), max(0, bound - 2))


class _ModuloGenerator(SplitMix64):
    """Reduces two bits modulo the bound."""

    def below(self, bound: int) -> int:
        return self.next() % (1 << bound.bit_length()) % bound


class ModuloBias(ReferenceEngine):
    """Draws from a generator in which small values are likelier."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.rng = _ModuloGenerator(self.rng.state)


class SeedBlind(ReferenceEngine):
    """Ignores the seed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.rng = SplitMix64(0)


class ShallowSnapshot(ReferenceEngine):
    """Hands out its own state instead of a copy."""

    def snapshot(self) -> dict[str, Any]:
        return dict(vars(self))


class ForgetfulSnapshot(ReferenceEngine):
    """Leaves the generator out of its snapshots."""

    def snapshot(self) -> dict[str, Any]:
        return {key: value for key, value in super().snapshot().items() if key != "rng"}


class Restless(ReferenceEngine):
    """Reads again the tip it has just read."""

    def serve(self, v: int) -> tuple[int, list[int]]:
        hit, victims = super().serve(v)
        return (self.parent[v] if v and v == hit else hit), victims


class BlindToWeightZero(ReferenceEngine):
    """Draws uniformly among the candidates, whatever they weigh."""

    def _draw(self, pinned: int) -> int:
        victim = self.candidates[self.rng.below(len(self.candidates))]
        self._leave(victim)
        return victim


# --- kernels that disagree ------------------------------------------------------------------------------


def _swapped_victims(*args: Any, **kwargs: Any) -> kernel.Replay:
    """Reports the first two victims in the wrong order."""
    found = kernel.replay(*args, **kwargs)
    victims = found.victims.copy()
    victims[:2] = victims[:2][::-1]
    return kernel.Replay(found.hit, found.evictions, victims)


def _other_seed(
    trace: Trace, capacity: int, policy: type[Policy], seed: int = 0, **kwargs: Any
) -> kernel.Replay:
    """Starts its generator one further."""
    return kernel.replay(trace, capacity, policy, seed + 1, **kwargs)


def _careless_scan(
    trace: Trace, capacity: int, policy: type[Policy], seed: int = 0, *, traits: Trait, **kwargs: Any
) -> kernel.Replay:
    """Scans for the first leaf in, where the policy does not help with a trait."""
    other = policy if traits == policy.traits else LeafFIFO
    return kernel.replay(trace, capacity, other, seed, **kwargs)


# --- optima that are not --------------------------------------------------------------------------------


def plain_belady(
    trace: Trace, capacity: int, *, bypass: bool = False, witness: bool = False, nearest: bool = False
) -> Schedule:
    """Belady on trees in plain Python; `nearest` evicts the nearest next use instead."""
    requests = trace.requests.tolist()
    paths = [trace.tree.path(v) for v in range(trace.tree.n + 1)]
    parent = trace.tree.parent.tolist()
    uses: list[list[int]] = [[] for _ in paths]
    for t in range(len(requests) - 1, -1, -1):
        for u in paths[requests[t]]:
            uses[u].append(t)
    cached: set[int] = set()
    hit, victims, offsets = [], [], [0]
    for v in requests:
        path = paths[v]
        hit.append(max((u for u in path if u in cached), default=0, key=paths[v].index))
        cached.update(path)
        for u in path:
            uses[u].pop()
        while len(cached) > capacity:
            inner = {parent[u] for u in cached}
            free = [u for u in cached - inner if bypass or u not in path]
            next_use = {u: uses[u][-1] if uses[u] else len(requests) for u in free}
            choose: Callable[..., int] = min if nearest else max
            victim = choose(free, key=lambda u: (next_use[u], u))
            cached.remove(victim)
            victims.append(victim)
        offsets.append(len(victims))
    kept = (victims, offsets) if witness else ([], [])
    return Schedule(np.array(hit, np.int32), np.array(kept[0], np.int32), np.array(kept[1], np.int64), bypass)


def _nearest(*args: Any, **kwargs: Any) -> Schedule:
    return plain_belady(*args, **kwargs, nearest=True)


def _pretends(trace: Trace, capacity: int, *, bypass: bool = False, witness: bool = False) -> Schedule:
    """Says that the last request hit its whole path."""
    found = belady(trace, capacity, bypass=bypass, witness=witness)
    hit = found.hit.copy()
    hit[-1:] = trace.requests[-1:]
    return Schedule(hit, found.victims, found.offsets, bypass)


def _one_worse(trace: Trace, capacity: int, *, bypass: bool = False, witness: bool = False) -> Schedule:
    """Says that the last request missed its whole path."""
    found = belady(trace, capacity, bypass=bypass, witness=witness)
    hit = found.hit.copy()
    hit[-1:] = 0
    return Schedule(hit, found.victims, found.offsets, bypass)


def _ignores_bypass(trace: Trace, capacity: int, *, bypass: bool = False, witness: bool = False) -> Schedule:
    return belady(trace, capacity, witness=witness)


def _false_witness(trace: Trace, capacity: int, *, bypass: bool = False, witness: bool = False) -> Schedule:
    """The right value, and victims one request too late."""
    found = belady(trace, capacity, bypass=bypass, witness=witness)
    late = np.minimum(found.offsets, np.append(0, found.offsets[:-1])) if witness else found.offsets
    return Schedule(found.hit, found.victims, late, bypass)


def _backward_witness(
    trace: Trace, capacity: int, *, bypass: bool = False, witness: bool = False
) -> Schedule:
    """The right value, and each request's victims in the wrong order, parents first."""
    found = belady(trace, capacity, bypass=bypass, witness=witness)
    victims = found.victims.copy()
    for a, b in itertools.pairwise(found.offsets.tolist()):
        victims[a:b] = victims[a:b][::-1]
    return Schedule(found.hit, victims, found.offsets, bypass)


MUTANTS: dict[str, Mutant] = {
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
    "evicts inner nodes": Mutant(Subject(LeafMRU, engine=InnerEvictor), "legal"),
    "evicts pinned nodes": Mutant(Subject(LeafLFU, engine=PinEvictor), "legal"),
    "draws pinned nodes": Mutant(Subject(RandomLeaf, engine=DrawnPinEvictor), "legal"),
    "evicts one too many": Mutant(Subject(LeafLRU, engine=OneTooMany), "legal"),
    "holds one too many": Mutant(Subject(LeafLRU, engine=OneTooFew), "legal"),
    "flatters its hits": Mutant(Subject(LeafLRU, engine=Flatterer), "legal"),
    "flatters its hits, below OPT": Mutant(Subject(LeafLRU, engine=Flatterer), "optimum"),
    "keeps a victim's columns": Mutant(Subject(LeafLFU, engine=KeepsColumns), "legal"),
    "wrong ties": Mutant(Subject(AllTied, engine=WrongTies), "choice"),
    "wrong ties, seen by the kernel": Mutant(Subject(AllTied, engine=WrongTies), "kernel"),
    "RLT ends phases early": Mutant(Subject(RLT, engine=EarlyPhases), "phases"),
    "Bucketing forgets the path": Mutant(Subject(Bucketing, engine=ForgetsThePath), "phases"),
    "Bucketing ends phases at once": Mutant(Subject(Bucketing, engine=KnowsNoFullPhases), "kernel"),
    "RLT counts marked nodes twice": Mutant(Subject(RLT, engine=CountsThePathTwice), "phases"),
    "RLT counts marked nodes twice, seen by the kernel": Mutant(
        Subject(RLT, engine=CountsThePathTwice), "kernel"
    ),
    "RLT loses a candidate at a phase change": Mutant(Subject(RLT, engine=LosesCandidates), "chances"),
    "RLT loses a candidate, seen in the books": Mutant(Subject(RLT, engine=LosesCandidates), "traits"),
    "RLT marks the tip alone": Mutant(Subject(RLT, engine=MarksTheTip), "phases"),
    "draws unfairly": Mutant(Subject(RandomLeaf, engine=UnfairDraw), "draws"),
    "draws whatever the weight": Mutant(Subject(RareFirst, engine=BlindToWeightZero), "draws"),
    "a biased generator": Mutant(Subject(RandomLeaf, engine=ModuloBias), "draws"),
    "a biased generator, seen by the kernel": Mutant(Subject(RandomLeaf, engine=ModuloBias), "kernel"),
    "ignores the seed": Mutant(Subject(RandomLeaf, engine=SeedBlind), "seeds"),
    "a shallow snapshot": Mutant(Subject(LeafLRU, engine=ShallowSnapshot), "snapshot"),
    "a snapshot without its generator": Mutant(Subject(RandomLeaf, engine=ForgetfulSnapshot), "snapshot"),
    "misses what it has just read": Mutant(Subject(LeafLRU, engine=Restless), "idle"),
    "kernel swaps two victims": Mutant(Subject(LeafLRU, replay=_swapped_victims), "kernel"),
    "kernel starts at another seed": Mutant(Subject(RandomLeaf, replay=_other_seed), "kernel"),
    "kernel scans for another rank": Mutant(Subject(LeafLRU, replay=_careless_scan), "weaker"),
    "OPT too high": Mutant(Subject(LeafLRU, optimum=_one_worse), "optimum"),
    "OPT too high, seen by brute force": Mutant(Subject(LeafLRU, optimum=_one_worse), "optimal"),
    "OPT too low": Mutant(Subject(LeafLRU, optimum=_pretends), "optimal"),
    "OPT evicts the nearest next use": Mutant(Subject(LeafLRU, optimum=_nearest), "optimal"),
    "OPT ignores bypass": Mutant(Subject(LeafLRU, optimum=_ignores_bypass), "optimal"),
    "OPT's hits are not its witness's": Mutant(Subject(LeafLRU, optimum=_pretends), "witness"),
    "a witness that evicts late": Mutant(Subject(LeafLRU, optimum=_false_witness), "witness"),
    "a witness in the wrong order": Mutant(Subject(LeafLRU, optimum=_backward_witness), "witness"),
    **OBJECT_MUTANTS,
}
"""Every mutant, by what is wrong with it."""
