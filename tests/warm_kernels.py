"""Compile every policy's kernels before the tests want them: `make test` and `make test-vllm` call this.

    python -P tests/warm_kernels.py [live]

`-P` keeps tests/adversaries from being taken for the package. Two test processes that meet an empty cache
compile the same kernels twice: here each policy is one task of one process. With `live`, only what an engine
needs is compiled. What is cached already is only loaded.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ProcessPoolExecutor

import numba

from kvtheory.engine.kernel import replay
from kvtheory.engine.node_table import NodeTable
from kvtheory.engine.object_kernels import kernel_of
from kvtheory.object_policy import ObjectPolicy
from kvtheory.registry import every_policy, policies
from kvtheory.sources import open_source

SOURCE, CAPACITY = "gsp:groups=3,prompts=4,block=256,seed=1", 60


def warm(name: str, live: bool) -> None:
    """Serve a few requests with the policy `name` wherever a compiled kernel does it."""
    policy = every_policy()[name]
    if issubclass(policy, ObjectPolicy):
        replay(open_source(SOURCE), CAPACITY, policy)
        return
    table: NodeTable[int] = NodeTable(policy, 8, 10)
    slots = table.slots(range(6))
    table.serve(slots, slots, 6)
    table.release(slots[::-1])
    table.grow(slots)
    table.pin(slots)
    table.release(slots)
    table.evict(1)
    table.drop(4)
    if not live:
        replay(open_source(SOURCE), CAPACITY, policy, 0)


def main() -> None:
    """Warm all policies, as many at once as there are cores."""
    live = sys.argv[1:] == ["live"]
    names = sorted(policies())
    if not live:  # an engine runs the objects themselves
        objects = (p for p in every_policy().values() if issubclass(p, ObjectPolicy))
        names += sorted(policy.name for policy in objects if kernel_of(policy))
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        list(pool.map(warm, names, [live] * len(names)))


if __name__ == "__main__" and not numba.config.DISABLE_JIT:
    main()
