"""Following any policy and falling back on leaf-LRU: at most 3 times the misses of either."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np

from kvtheory.engine.object_reference import ObjectReference
from kvtheory.hedge import Hedge
from kvtheory.object_policy import Key, ObjectPolicy
from kvtheory.testing.instances import Instance, requestable
from proofs_check.theorem import Kind, Row, Size, Theorem


class NewestLeaf(ObjectPolicy):
    """Evicts what became a leaf last: best where more prompts than fit take turns, else hopeless."""

    name = "newest_leaf"

    def victim(self, leaves: Collection[Key]) -> Key | None:
        return list(leaves)[-1]


class HedgedNewest(Hedge):
    """A hedge whose leader is right or wrong for long."""

    name = "hedged_newest"
    leader = NewestLeaf


def play(instance: Instance, length: int, seed: int) -> tuple[int, int, Hedge]:
    """Mostly what hurts the cache that is followed: misses, what was followed then missed, and the hedge.

    Two nodes that the leader lacks, by turns, hurt the leader; more than fit, in turn, hurt leaf-LRU.
    """
    rng = np.random.default_rng(seed)
    nodes = requestable(instance.parents, instance.capacity)
    engine = ObjectReference(instance.tree, instance.capacity, HedgedNewest)
    hedge = engine.mind
    assert isinstance(hedge, Hedge)
    missed = served = followed = 0
    while served < length:
        turn = rng.permutation(nodes).tolist()
        lacking = [v for v in turn if v not in hedge.led][:2]
        if hedge.leading == (rng.random() < 0.9) and lacking:
            stretch = lacking * int(rng.integers(1, 9))
        else:
            stretch = turn[: instance.capacity + 1] * int(rng.integers(1, 5))
        for v in stretch:
            before = hedge.led.misses, hedge.safe.misses
            missed += instance.depth[v] - instance.depth[engine.serve(v)[0]]
            followed += hedge.led.misses - before[0] if hedge.leading else hedge.safe.misses - before[1]
        served += len(stretch)
    return missed, followed, hedge


def check(size: Size) -> Iterator[Row]:
    """Random trees, and sequences that mostly hurt whichever is followed."""
    worst = worst_led = worst_safe = -(10**9)
    switches = cases = 0
    for seed in range(size["drawn"]):
        rng = np.random.default_rng(seed)
        parents = [int(rng.integers(v)) * int(rng.integers(4) == 0) for v in range(1, size["nodes"] + 1)]
        instance = Instance(tuple(parents), int(rng.integers(2, size["nodes"] // 2 + 1)), ())
        missed, followed, hedge = play(instance, size["length"], seed)
        k = instance.capacity
        worst = max(worst, missed - followed - k * hedge.switches)
        worst_led = max(worst_led, missed - 3 * hedge.led.misses - k)
        worst_safe = max(worst_safe, missed - 3 * hedge.safe.misses - 4 * k)
        switches += hedge.switches
        cases += 1
    yield Row("largest misses - those of what is followed - k * switches", worst, "<=", 0, cases)
    yield Row("largest misses - 3 * leader's - k", worst_led, "<=", 0, cases)
    yield Row("largest misses - 3 * leaf-LRU's - 4 k", worst_safe, "<=", 0, cases)
    yield Row("switches from one to the other", switches, ">=", cases, cases)


THEOREM = Theorem(
    statement="A cache that follows a policy A until A has missed 2k nodes more than leaf-LRU, then leaf-LRU "
    "until the two are even, and so on, misses at most min(3 A + k, 3 LRU + 4k) nodes; so at most "
    "(3 max(1, W-1) + 4) OPT.",
    kind=Kind.PROVED,
    covers=(4,),
    where="docs/theory/hedge.rst",
    sizes={"drawn": (60, 300, 1500), "nodes": (8, 8, 12), "length": (600, 1200, 2000)},
    scope="{drawn} random trees of {nodes} nodes, {length} requests each that mostly hurt what is followed",
    check=check,
)
