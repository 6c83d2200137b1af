"""The compiled engine for policies that are objects and name a kernel: the same victims, bit for bit."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from kvtheory.engine.codegen import load_list_kernel
from kvtheory.engine.lists import empty_memory
from kvtheory.errors import PolicyError
from kvtheory.model import IntArray, Trace
from kvtheory.object_policy import ObjectPolicy
from kvtheory.rng import SplitMix64


def kernel_of(policy: type[ObjectPolicy]) -> ModuleType | None:
    """The module that replays a policy compiled; None if its class itself names none."""
    name = vars(policy).get("kernel", "")
    return import_module(name) if name else None


def replay_lists(
    hooks: ModuleType,
    trace: Trace,
    capacity: int,
    policy: type[ObjectPolicy],
    seed: int,
    hit: IntArray,
    victims: IntArray,
) -> int:
    """Replay from the empty cache; returns the number of evictions.

    Args:
        hooks: the policy's kernel.
        trace: requests whose paths fit.
        capacity: nodes the cache holds.
        policy: the object, whose numbers the kernel begins with.
        seed: of every draw.
        hit: int32, shape (N,), receives the deepest cached node of each path.
        victims: int32, receives the victims in order; empty if they are not wanted.

    Raises:
        PolicyError: if the kernel names a node that may not be evicted.
    """
    tree = trace.tree
    memory = empty_memory(tree.n + 1, capacity, tree.height, hooks.LEAF_LISTS, hooks.OWN_COLUMNS)
    hooks.start(memory, policy(capacity, SplitMix64(seed)))
    replay = load_list_kernel(hooks).replay
    evictions = int(replay(tree.parent, tree.depth, trace.requests, capacity, *memory, hit, victims))
    if evictions < 0:
        raise PolicyError(f"{policy.name}: its kernel names what may not go in request {-1 - evictions}")
    return evictions
