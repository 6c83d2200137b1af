"""The kernel engine: the reference engine's decisions, compiled. Traits choose the structure.

RECENCY: the trace as its own queue. TOUCH: a lazy heap of leaves. BINARY: an indexed set with O(1) draws.
None of them: a scan of the leaves at each eviction. A policy that is an object has a kernel if it names one
(:mod:`kvtheory.engine.object_kernels`), else :mod:`kvtheory.engine.objects` runs it. The order of events is
that of :mod:`kvtheory.model`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from kvtheory.engine.codegen import load_kernel
from kvtheory.engine.object_kernels import kernel_of, replay_lists
from kvtheory.engine.objects import replay_object
from kvtheory.engine.recency import replay_recency
from kvtheory.errors import PolicyError
from kvtheory.model import IntArray, Trace
from kvtheory.object_policy import AnyPolicy, ObjectPolicy
from kvtheory.policy import Trait
from kvtheory.rng import MASK64
from kvtheory.runs import runs_of


@dataclass(frozen=True, eq=False)
class Replay:
    """What happened: everything else (misses, tokens, warm-up) follows from the hits.

    Attributes:
        hit: int32, shape (N,): the deepest cached node of each requested path; 0 for none.
        evictions: how many nodes were evicted.
        victims: int32, shape (evictions,), in order; empty unless asked for.
    """

    hit: IntArray
    evictions: int
    victims: IntArray


def replay(
    trace: Trace,
    capacity: int,
    policy: AnyPolicy,
    seed: int = 0,
    *,
    victims: bool = False,
    traits: Trait | None = None,
) -> Replay:
    """Replay a trace from the empty cache.

    Args:
        trace: requests whose paths fit (see :meth:`Trace.cut`).
        capacity: nodes the cache holds, at least 1.
        policy: the eviction policy.
        seed: seed of every draw; ignored by ranked policies.
        victims: also return the victims (4 bytes per access).
        traits: the traits to build the kernel from, for tests; default, the policy's own.

    Raises:
        InputError: if a path is longer than the capacity.
        PolicyError: if the policy left no candidate of positive weight.
    """
    trace.require_fits(capacity)
    run = prepare(trace, capacity, policy, seed, victims=victims, traits=traits)
    return run()


def prepare(
    trace: Trace,
    capacity: int,
    policy: AnyPolicy,
    seed: int = 0,
    *,
    victims: bool = False,
    traits: Trait | None = None,
) -> Callable[[], Replay]:
    """The replay as a call that does nothing else: what is timed. Arguments as :func:`replay`."""
    traits = policy.traits if traits is None else traits
    capacity = min(capacity, trace.tree.n + 1)  # room beyond the tree changes nothing, and costs memory
    hit = np.empty(len(trace), dtype=np.int32)
    log = np.empty(trace.accesses if victims else 0, dtype=np.int32)
    kernel: Callable[[], int]
    if issubclass(policy, ObjectPolicy):
        compiled = kernel_of(policy)
        engine = partial(replay_lists, compiled) if compiled else replay_object
        kernel = partial(engine, trace, capacity, policy, seed, hit, log)
    elif Trait.RECENCY in traits:
        runs = runs_of(trace)
        layout = (runs.parent, runs.length, runs.start, runs.nodes, runs.requests)
        kernel = partial(replay_recency, *layout, capacity, hit, log)
    else:
        module = load_kernel(policy, "ranked" if policy.rank is not None else "weighted", traits)
        tree, word = trace.tree, np.uint64(seed & MASK64)
        kernel = partial(module.replay, tree.parent, tree.depth, trace.requests, capacity, word, hit, log)

    def run() -> Replay:
        evictions = int(kernel())
        if evictions < -len(trace):
            raise PolicyError(f"{policy.name}: declares FULL, but gives weight to a marked node")
        if evictions < 0:
            raise PolicyError(f"{policy.name}: no candidate of positive weight in request {-1 - evictions}")
        return Replay(hit, evictions, log[:evictions])

    return run
