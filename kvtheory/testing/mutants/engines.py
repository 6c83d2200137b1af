"""Engines that break the model and kernels that disagree, each with the check that must catch it."""

from __future__ import annotations

from typing import Any

from kvtheory.engine import kernel
from kvtheory.engine.reference import ReferenceEngine
from kvtheory.model import Trace
from kvtheory.policies.bucketing import Bucketing
from kvtheory.policies.fifo import LeafFIFO
from kvtheory.policies.lfu import LeafLFU
from kvtheory.policies.lru import LeafLRU
from kvtheory.policies.mru import LeafMRU
from kvtheory.policies.random import RandomLeaf
from kvtheory.policies.rlt import RLT
from kvtheory.policy import Policy, Trait
from kvtheory.rng import SplitMix64
from kvtheory.testing.probes import AllTied, RareFirst
from kvtheory.testing.subject import Mutant, Subject, without


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


ENGINE_MUTANTS: dict[str, Mutant] = {
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
}
"""By what is wrong with it."""
