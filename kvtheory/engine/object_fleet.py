"""The caches of a cluster's workers under a policy that is an object: one object for each worker."""

from __future__ import annotations

from kvtheory.engine.fleet import PrefixIndex, require_room
from kvtheory.engine.objects import ObjectCache
from kvtheory.facts import NOTHING, About
from kvtheory.model import PrefixTree
from kvtheory.object_policy import ObjectPolicy
from kvtheory.rng import worker_seeds


class ObjectCaches(PrefixIndex):
    """One cache for each worker; equal to the reference engine, victim for victim.

    Arguments and errors are those of :class:`~kvtheory.engine.fleet.Caches`.
    """

    def __init__(
        self, tree: PrefixTree, workers: int, capacity: int, policy: type[ObjectPolicy], seed: int = 0
    ) -> None:
        require_room(workers, capacity)
        super().__init__(tree, workers)
        self.policy, self.capacity = policy, capacity
        self._shape: tuple[list[int], list[int]] = tree.parent.tolist(), tree.depth.tolist()
        self._caches = [self._empty(own) for own in worker_seeds(seed, workers)]
        self._gone: list[int] = []

    def serve(self, worker: int, v: int, about: About = NOTHING) -> int:
        """A worker serves the prompt `v`, no deeper than the capacity; its hit, as a node, 0 for none.

        `about` is what the request says of itself, for policies that read it.
        """
        hit = self._caches[worker].serve(v, about, self._gone)
        super().serve(worker, v)
        if self._gone:
            self.forget(worker, self._gone)
            self._gone.clear()
        return hit

    def clear(self, worker: int) -> None:
        """A worker returns empty and without memory; its draws go on."""
        super().clear(worker)
        mind = self._caches[worker].mind
        self._caches[worker] = self._empty(mind.rng.state if mind.draws else 0)

    def held(self, worker: int) -> set[int]:
        """The nodes that a worker caches."""
        return set(self._caches[worker].children) - {0}

    def _empty(self, seed: int) -> ObjectCache:
        return ObjectCache(*self._shape, self.capacity, self.policy, seed)
