"""A policy's view of an engine's prefix cache: nodes by their hash, victims on demand.

Nothing here knows vLLM. The engine says which path a request has, which nodes go into and out of use and
which leave the cache; the table says whom to evict. The work is done by `kvtheory/engine/templates/live.py`,
compiled together with the policy's own hooks: the source that the simulator runs. For a policy that is an
object, `kvtheory/engine/object_live.py` does it.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from kvtheory.engine.codegen import load_kernel
from kvtheory.engine.live_table import Table
from kvtheory.engine.object_live import ObjectKernel
from kvtheory.facts import About
from kvtheory.model import IntArray
from kvtheory.object_policy import AnyPolicy, ObjectPolicy
from kvtheory.policy import Trait

NOBODY: Any = None
Key = TypeVar("Key", bound=Hashable)


class NodeTable(Generic[Key]):
    """The nodes of one cache.

    Args:
        policy: who chooses the victims.
        capacity: nodes that the cache holds, what a phase is measured by.
        blocks: blocks that the engine has; at least `capacity`.
        seed: seed of every draw.
    """

    def __init__(self, policy: AnyPolicy, capacity: int, blocks: int, seed: int = 0) -> None:
        self.policy, self.capacity, self.blocks, self.seed = policy, capacity, blocks, seed
        self._kernel: Any
        if not issubclass(policy, ObjectPolicy):
            self._kernel = load_kernel(policy, "live", policy.traits)
        self.clear()

    def clear(self, *, seed: int | None = None) -> None:
        """Forget everything; draws go on from `seed`, by default from the table's own."""
        # cached nodes, marked nodes that are not cached, and one path on its way in
        slots = 1 + self.blocks + 2 * self.capacity + 1
        self._slot: dict[Key, int] = {}
        self._key: list[Key] = [NOBODY] * slots
        self._free = list(range(slots - 1, 0, -1))
        phases, full = Trait.PHASES in self.policy.traits, Trait.FULL in self.policy.traits
        marked = np.zeros(slots, np.int8)
        word = (self.seed if seed is None else seed) % 2**64
        if issubclass(self.policy, ObjectPolicy):
            self._kernel = ObjectKernel(self.policy, self.capacity, word, self._key, self._slot)
        random = np.full(1, word, np.uint64)
        self._table = Table(
            parent=np.zeros(slots, np.int32),
            depth=np.zeros(slots, np.int32),
            resident=np.zeros(slots, np.int8),
            children=np.zeros(slots, np.int32),
            pins=np.zeros(slots, np.int32),
            inserted=np.zeros(slots, np.int64),
            columns=np.zeros((len(self.policy.columns), slots), np.int64),
            marked=marked,
            candidates=np.zeros(slots, np.int32),
            place=np.full(slots, -1, np.int32),
            marked_order=np.zeros(self.capacity * (phases + full), np.int32),
            path=np.zeros(self.capacity * full, np.int32),
            counters=np.zeros(7, np.int64),
            random=random,
        )
        self._dead = np.zeros(slots, np.int32)
        self._victims = np.zeros(slots, np.int32)

    @property
    def counters(self) -> dict[str, int]:
        """Evictable leaves, marks, insertions, requests, phases ended early, victims of last resort."""
        names = ("candidates", "marks", "insertions", "requests", "early_phases", "rescues")
        return dict(zip(names, self._table.counters.tolist(), strict=False))

    @property
    def random_state(self) -> int:
        """Where the draws stand: `clear` with it as seed lets them go on."""
        if isinstance(self._kernel, ObjectKernel):
            return self._kernel.rng.state
        return int(self._table.random[0])

    def __len__(self) -> int:
        return int(self._table.resident.sum())

    def __contains__(self, key: Key) -> bool:
        slot = self._slot.get(key, 0)
        return bool(slot and self._table.resident[slot])

    def slots(self, keys: Sequence[Key], parent: int = 0) -> IntArray:
        """Slots of a path or a stretch of one below slot `parent`, made where there are none; int32."""
        get = self._slot.get
        found = [get(key, 0) for key in keys]
        while 0 in found:  # from there on all are missing, unless the engine has dropped a node in use
            start = found.index(0)
            stop = next((i for i in range(start, len(found)) if found[i]), len(found))
            found[start:stop] = self._new(keys[start:stop], found[start - 1] if start else parent)
        return np.array(found, np.int32)

    def known(self, keys: Sequence[Key]) -> IntArray:
        """Slots of nodes, 0 where one has none; int32."""
        get = self._slot.get
        return np.array([get(key, 0) for key in keys], np.int32)

    def slot(self, key: Key) -> int:
        """Slot of a node, 0 if it has none."""
        return self._slot.get(key, 0)

    def serve(self, path: IntArray, pinned: IntArray, upto: int, about: About | None = None) -> None:
        """A request arrives: its path root to tip; the nodes that gain a pin; how many of it come in now.

        `about`: what it says of itself, for an object that reads some of it.
        """
        if isinstance(self._kernel, ObjectKernel):
            self._kernel.tell(about or {})
        self._bury(self._kernel.serve(self._table, path, pinned, upto, self._dead))

    def grow(self, nodes: IntArray) -> None:
        """Nodes that a running request has filled, parents first."""
        self._kernel.grow(self._table, nodes)

    def pin(self, nodes: IntArray) -> None:
        """One more block of each node is in use."""
        self._kernel.pin(self._table, nodes)

    def release(self, nodes: IntArray) -> None:
        """One block less of each node is in use."""
        self._kernel.release(self._table, nodes)

    def pins(self, key: Key) -> int:
        """How many blocks of a node are in use."""
        return int(self._table.pins[self._slot[key]])

    def evict(self, count: int) -> list[Key]:
        """Evict `count` leaves, or as many as there are; their keys, in order."""
        chosen, deaths = self._kernel.evict(self._table, count, self._victims, self._dead)
        keys = [self._key[slot] for slot in self._victims[:chosen].tolist()]
        self._bury(deaths)
        return keys

    def drop(self, key: Key) -> None:
        """A node has left the cache by another way."""
        if slot := self._slot.get(key, 0):
            parent = int(self._table.parent[slot])
            self._kernel.drop(self._table, slot)
            self._let_go(slot)
            self._let_go(parent)

    def _new(self, keys: Sequence[Key], parent: int) -> list[int]:
        """Slots for a stretch of nodes below slot `parent`."""
        while len(keys) > len(self._free):
            self._grow()
        fresh = [self._free.pop() for _ in keys]
        for key, slot in zip(keys, fresh, strict=True):
            self._slot[key], self._key[slot] = slot, key
        self._table.parent[fresh] = [parent, *fresh[:-1]]
        depth = int(self._table.depth[parent]) + 1
        self._table.depth[fresh] = np.arange(depth, depth + len(fresh))
        return fresh

    def _grow(self) -> None:
        """Twice the slots: paths that were announced and never came in can fill the table."""
        old = self._table.parent.size
        fill = {"place": -1}
        wider = {
            name: np.concatenate([array, np.full_like(array, fill.get(name, 0))], axis=array.ndim - 1)
            for name, array in self._table._asdict().items()
            if name not in ("marked_order", "path", "counters", "random")
        }
        self._table = self._table._replace(**wider)
        self._key += [NOBODY] * old
        self._free = [*range(2 * old - 1, old - 1, -1), *self._free]
        self._dead, self._victims = np.zeros(2 * old, np.int32), np.zeros(2 * old, np.int32)

    def _bury(self, deaths: int) -> None:
        """Free the slots that the kernel says are dead."""
        for slot in self._dead[:deaths].tolist():
            if (key := self._key[slot]) is not NOBODY:
                del self._slot[key]
                self._key[slot] = NOBODY
                self._free.append(slot)

    def _let_go(self, slot: int) -> None:
        """Free a slot if it stands for nothing any more."""
        table = self._table
        if slot and not (table.resident[slot] or table.marked[slot] or table.children[slot]):
            self._dead[0] = slot
            self._bury(1)
