"""The second door: a policy that is an object, with memory of its own beyond what is cached.

ARC's ghosts, a sketch of frequencies, weights that learn: what cannot be columns that are reset on eviction.
The engine owns the same things as for the first door (:mod:`kvtheory.policy`): residency, the leaf rule, pins
and ties where the policy leaves any. Its nodes go by *keys*: node numbers in the simulator, block hashes
in a live cache. A key means the same prefix for ever, also when its block is cached anew.

Order of events when a request arrives; steps 2 to 5 of :mod:`kvtheory.model`:

0. `on_arrival(about)`, for a policy that `reads`: what the request says of itself (:mod:`kvtheory.facts`).
1. `on_request(path, cached)`: the whole path and what of it is cached, both root to tip. From here to the end
   of the request no node of the path is a leaf that may go.
2. `on_insert(v)` for each missing node, root to tip. (A live engine that takes a prompt in several chunks
   inserts the later ones after evictions for the earlier.)
3. While over capacity: `victim(leaves)` names one; `on_evict(v)`; and `on_leaf(u)` if its parent may go now.
4. `on_leaf(v)` for the tip, if it is a leaf. A live engine also evicts and drops nodes between requests.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, ClassVar, TypeVar

import numpy as np

from kvtheory.errors import PolicyError
from kvtheory.facts import FUTURE, About
from kvtheory.leaf_queue import LeafHeap, LeafQueue
from kvtheory.policy import Described, Policy
from kvtheory.rng import SplitMix64

Key = Any
T = TypeVar("T")


class Memory:
    """What can be written down and read back: its attributes are its state.

    They may be numbers, strings, lists, sets, dicts, arrays, :class:`LeafQueue`, :class:`LeafHeap` and other
    `Memory`.
    """

    def snapshot(self) -> dict[str, Any]:
        """Everything the future depends on, ready for JSON: equal snapshots have equal futures.

        Raises:
            PolicyError: if an attribute is of another kind than those above.
        """
        return {name: _written(name, value) for name, value in vars(self).items()}

    def restore(self, state: dict[str, Any]) -> None:
        """Return to a snapshot of an object of the same class whose keys are numbers or strings."""
        for name, value in state.items():
            setattr(self, name, _read(getattr(self, name), value))


class ObjectPolicy(Memory, Described):
    """Base of every policy that is an object. Subclass it, give it a name, and define `victim`.

    Its attributes are its :class:`Memory`. An order that decides must not come from a set.

    Attributes:
        draws: it takes random numbers.
        reads: names of what it wants to know of a request, see :mod:`kvtheory.facts`. Not all traces have
            them, nor do all requests of a live engine.
        kernel: the module that replays this class compiled, see `kvtheory/engine/templates/list_hooks.py`;
            a subclass decides otherwise, and does not inherit it.

    Args:
        capacity: nodes the cache holds.
        rng: the generator of a policy that declares `draws`.
    """

    draws: ClassVar[bool] = False
    reads: ClassVar[tuple[str, ...]] = ()
    kernel: ClassVar[str] = ""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if unknown := FUTURE.intersection(cls.reads):
            raise PolicyError(f"{cls.__name__}: reads '{min(unknown)}', which nobody knows at arrival")
        if cls.reads and "kernel" in vars(cls):
            raise PolicyError(f"{cls.__name__}: reads what a kernel is not told")

    def __init__(self, capacity: int, rng: SplitMix64) -> None:
        self.capacity = capacity
        if self.draws:
            self.rng = rng

    @classmethod
    def randomised(cls) -> bool:
        """Whether the policy draws."""
        return cls.draws

    def on_arrival(self, about: About) -> None:
        """A request arrives; `about` has those of `reads` that it says. Called only if `reads` names any."""

    def on_request(self, path: Sequence[Key], cached: Sequence[Key]) -> None:
        """A request for `path` arrives, `cached` is what of it is cached; both root to tip."""

    def on_insert(self, v: Key) -> None:
        """A node comes in, its parent before it."""

    def on_leaf(self, v: Key) -> None:
        """A node may be evicted from now on, until it is requested or gets a cached child."""

    def on_evict(self, v: Key) -> None:
        """A node has left the cache: a victim, or one that a live engine dropped."""

    def victim(self, leaves: Collection[Key]) -> Key | None:
        """The one of `leaves` to evict; None to leave it to the engine: deepest, then earliest inserted.

        Args:
            leaves: what may be evicted, in the order in which it became so; never empty.
        """
        raise NotImplementedError

    def waiting(self, fresh: list[T], held: int) -> list[T]:
        """What a list of this request's insertions says of those for which there is no room yet.

        A flat policy chooses a victim before it inserts. A path is inserted whole and evicted for node by
        node; a policy that counts the nodes of its lists leaves these out.

        Args:
            fresh: one entry for each node that this request inserted, in order.
            held: nodes that are cached now.
        """
        return fresh[self.capacity - held :] if held > self.capacity else []


AnyPolicy = type[Policy] | type[ObjectPolicy]


def reads(policy: AnyPolicy) -> tuple[str, ...]:
    """What a policy of either kind reads of a request; one that is written as columns reads nothing."""
    return policy.reads if issubclass(policy, ObjectPolicy) else ()


def _written(name: str, value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if value is None or isinstance(value, int | float | str):
        return value
    if isinstance(value, SplitMix64):
        return value.state
    if isinstance(value, Memory):
        return value.snapshot()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, dict):
        return [[_written(name, key), _written(name, held)] for key, held in value.items()]
    if isinstance(value, set):
        return sorted(_written(name, key) for key in value)
    if isinstance(value, list | tuple | LeafQueue | LeafHeap):
        return [_written(name, held) for held in value]
    raise PolicyError(f"'{name}' is a {type(value).__name__}, which no snapshot can hold")


def _read(present: Any, value: Any) -> Any:
    if isinstance(present, SplitMix64):
        return SplitMix64(value)
    if isinstance(present, Memory):
        present.restore(value)
        return present
    if isinstance(present, np.ndarray):
        return np.array(value, dtype=present.dtype).reshape(present.shape)
    if isinstance(present, dict):
        return type(present)((key, held) for key, held in value)
    if isinstance(present, set | list | LeafQueue | LeafHeap):
        return type(present)(value)
    return value
