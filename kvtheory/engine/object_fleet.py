"""The caches of a cluster's workers under a policy that is an object: one object for each worker."""

from __future__ import annotations

from kvtheory.engine.fleet import PrefixIndex
from kvtheory.engine.objects import ObjectCache
from kvtheory.errors import InputError
from kvtheory.facts import About
from kvtheory.model import PrefixTree
from kvtheory.object_policy import ObjectPolicy
from kvtheory.rng import worker_seeds


class ObjectCaches(PrefixIndex):
    """One cache for each worker; equal to the reference engine, victim for victim.

    Args:
        tree: the prompts.
        workers: how many caches there are.
        capacity: nodes that each may hold.
        policy: who chooses the victims.
        seed: of every draw; each worker has its own (:func:`~kvtheory.rng.worker_seeds`).

    Raises:
        InputError: if there is no worker, or no room for one node.
    """

    def __init__(
        self, tree: PrefixTree, workers: int, capacity: int, policy: type[ObjectPolicy], seed: int = 0
    ) -> None:
        if workers < 1 or capacity < 1:
            raise InputError("there must be a worker, and room for a node", field="workers, capacity")
        super().__init__(tree, workers)
        self.policy, self.capacity = policy, capacity
        self._shape: tuple[list[int], list[int]] = tree.parent.tolist(), tree.depth.tolist()
        self._caches = [self._empty(own) for own in worker_seeds(seed, workers)]
        self._gone: list[int] = []

    def serve(self, worker: int, v: int, about: About | None = None) -> int:
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
