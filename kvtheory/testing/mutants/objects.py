"""Broken objects and broken engines for them, each with the check that must catch it."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from kvtheory.engine import kernel
from kvtheory.engine.object_reference import ObjectReference
from kvtheory.model import Trace
from kvtheory.object_policy import Key, ObjectPolicy
from kvtheory.policies.arc import ARC
from kvtheory.policies.dbl import DBL
from kvtheory.rng import SplitMix64
from kvtheory.testing.object_probes import AnyLeaf, Credulous, NoPreference
from kvtheory.testing.subject import Mutant, Subject

Pageless = type("Pageless", (ARC,), {"name": "pageless"})


class EvictsWhatItLikes(ARC):
    """Names the front of T1 or T2, leaf or not."""

    name = "evicts_what_it_likes"

    def victim(self, leaves: Collection[Key]) -> Key | None:
        return next(itertools.chain(self.t1, self.t2))


class SmallestId(ObjectPolicy):
    """Evicts the leaf with the smallest id: a name, not a fact."""

    name = "smallest_id"

    def victim(self, leaves: Collection[Key]) -> Key | None:
        return min(leaves)


_SEEN: list[Key] = []


class SharedMemory(ObjectPolicy):
    """Remembers outside itself, where no snapshot reaches."""

    name = "shared_memory"

    def on_request(self, path: Sequence[Key], cached: Sequence[Key]) -> None:
        _SEEN.extend(path)

    def victim(self, leaves: Collection[Key]) -> Key | None:
        return list(leaves)[len(_SEEN) * 5 % 7 % len(leaves)]


class LeavesOutItsGhosts(ARC):
    """A snapshot without ghosts."""

    name = "leaves_out_its_ghosts"

    def snapshot(self) -> dict[str, Any]:
        return {name: value for name, value in super().snapshot().items() if name not in ("b1", "b2")}


class DrawsWithoutSaying(ObjectPolicy):
    """Makes a generator of its own, the same for every seed."""

    name = "same_for_every_seed"
    draws = True

    def victim(self, leaves: Collection[Key]) -> Key | None:
        return list(leaves)[SplitMix64(len(leaves)).below(len(leaves))]


class OffersTheTip(ObjectReference):
    """Offers the tip of the path too, before its request is over."""

    def _evict(self, pinned: int) -> int:
        if pinned not in self.candidates:
            self.candidates.append(pinned)
        return super()._evict(pinned)


class ForgetsToSay(ObjectReference):
    """Never says that the tip of a path became a leaf."""

    def _join(self, u: int) -> None:
        told = self.mind.on_leaf
        self.mind.on_leaf = lambda v: None  # type: ignore[method-assign]
        super()._join(u)
        self.mind.on_leaf = told  # type: ignore[method-assign]


class ShowsTheRequestLate(ObjectReference):
    """Shows only what is cached of the path."""

    def serve(self, v: int) -> tuple[int, list[int]]:
        request = self.mind.on_request
        self.mind.on_request = lambda path, cached: request(cached, cached)  # type: ignore[method-assign]
        try:
            return super().serve(v)
        finally:
            self.mind.on_request = request  # type: ignore[method-assign]


class Disobeys(ObjectReference):
    """Evicts the leaf that is listed last, whatever was named."""

    def _evict(self, pinned: int) -> int:
        choose = self.mind.victim
        self.mind.victim = lambda leaves: choose(leaves) and leaves[-1]  # type: ignore[method-assign,index]
        try:
            return super()._evict(pinned)
        finally:
            self.mind.victim = choose  # type: ignore[method-assign]


class TellsLate(ObjectReference):
    """Says what the request before said of itself."""

    def serve(self, v: int) -> tuple[int, list[int]]:
        tell = self.mind.on_arrival
        self.mind.on_arrival = lambda about: tell(self.facts[max(0, self.time - 1)])  # type: ignore[method-assign]
        try:
            return super().serve(v)
        finally:
            self.mind.on_arrival = tell  # type: ignore[method-assign]


class TellsEverybody(ObjectReference):
    """Tells also those who read nothing."""

    def serve(self, v: int) -> tuple[int, list[int]]:
        if not self.mind.reads:
            self.mind.on_arrival({})
        return super().serve(v)


def _tells_nothing(trace: Trace, *args: Any, **kwargs: Any) -> kernel.Replay:
    """Keeps the columns of a trace to itself."""
    return kernel.replay(replace(trace, columns={}), *args, **kwargs)


def _last_hit_lost(*args: Any, **kwargs: Any) -> kernel.Replay:
    """Reports that the last request hit nothing."""
    found = kernel.replay(*args, **kwargs)
    return kernel.Replay(np.append(found.hit[:-1], 0)[: found.hit.size], found.evictions, found.victims)


OBJECT_MUTANTS: dict[str, Mutant] = {
    "an object without a page": Mutant(Subject(Pageless), "named"),
    "an object evicts inner nodes": Mutant(Subject(EvictsWhatItLikes), "asked"),
    "an object reads ids": Mutant(Subject(SmallestId), "relabel"),
    "an object remembers elsewhere": Mutant(Subject(SharedMemory), "repeat"),
    "an object remembers elsewhere, seen by restoring": Mutant(Subject(SharedMemory), "remembers"),
    "an object leaves out its ghosts": Mutant(Subject(LeavesOutItsGhosts), "remembers"),
    "an object ignores the seed": Mutant(Subject(DrawsWithoutSaying), "seeds"),
    "an engine offers the tip": Mutant(Subject(NoPreference, engine=OffersTheTip), "asked"),
    "an engine forgets to say what may go": Mutant(Subject(ARC, engine=ForgetsToSay), "asked"),
    "an engine shows only what is cached": Mutant(Subject(DBL, engine=ShowsTheRequestLate), "asked"),
    "an engine disobeys": Mutant(Subject(AnyLeaf, engine=Disobeys), "asked"),
    "an engine disobeys, seen by the kernel": Mutant(Subject(ARC, engine=Disobeys), "kernel"),
    "an engine tells of another request": Mutant(Subject(Credulous, engine=TellsLate), "informed"),
    "an engine tells who does not read": Mutant(Subject(ARC, engine=TellsEverybody), "informed"),
    "a kernel tells nothing": Mutant(Subject(Credulous, replay=_tells_nothing), "informed"),
    "a kernel tells nothing, seen by its victims": Mutant(
        Subject(Credulous, replay=_tells_nothing), "kernel"
    ),
    "a kernel loses a hit": Mutant(Subject(ARC, replay=_last_hit_lost), "kernel"),
}
"""Every broken object and engine, by what is wrong with it."""
