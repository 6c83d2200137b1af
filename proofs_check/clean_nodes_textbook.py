"""OPT may pay far less than half the clean nodes: the step that works for paging fails on trees."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise

from kvtheory.model import PrefixTree
from kvtheory.offline.belady import belady
from kvtheory.ratio.instance import Instance as Game
from kvtheory.testing.instances import Instance, spider
from proofs_check.instances import misses
from proofs_check.phases import phases, requested
from proofs_check.rlt_chain import worst
from proofs_check.theorem import Kind, Row, Size, Theorem

TREES = (((0, 1, 1, 0, 0, 0), 3, Fraction(41, 20)), ((0, 1, 0, 0, 0, 0), 3, Fraction(33, 16)))


def new_nodes(instance: Instance) -> int:
    """The textbook's clean nodes: requested in a phase and not in the one before."""
    sets = [set[int](), *(requested(instance, requests) for requests in phases(instance))]
    return sum(len(now - before) for before, now in pairwise(sets))


def check(size: Size) -> Iterator[Row]:
    """Two chains by turns; the exact worst cycle against RLT's own cache on two trees."""
    length = 2
    while length <= size["length"]:
        rounds = 10 * length
        instance = Instance(spider(2, length), 2 * length - 1, (length, 2 * length) * rounds)
        best = misses(instance.trace, belady(instance.trace, instance.capacity).hit)
        what = f"two chains of {length}, k={2 * length - 1}, {2 * rounds} requests"
        yield Row(f"{what}: nodes new in their phase", new_nodes(instance), "==", 2 * rounds * length, 1)
        yield Row(f"{what}: OPT", best, "==", 2 * length + 2 * rounds - 2, 1)
        yield Row(
            f"{what}: new nodes / OPT", Fraction(new_nodes(instance), best), ">=", Fraction(5 * length, 6), 1
        )
        length *= 2
    for parents, k, claimed in TREES:
        found = worst(Game.of(PrefixTree.from_parents(parents), k))
        written = f"parents {','.join(map(str, parents))}, k={k}, all sequences"
        yield Row(f"{written}: largest E[sum of c]/OPT", found.clean, "==", claimed, found.states)


THEOREM = Theorem(
    statement="Refuted: 'OPT pays at least half the clean nodes'. Counted against the phase before, two "
    "chains of L nodes by turns in 2L - 1 places have L clean nodes per miss of OPT; counted against RLT's "
    "own cache the share reaches 41/20 and 33/16, exactly, on two trees of 6 nodes.",
    kind=Kind.REFUTED,
    covers=(8,),
    where="docs/theory/rlt.rst",
    sizes={"length": (16, 64, 256)},
    scope="chains of up to {length} nodes; all sequences on two trees of 6 nodes",
    check=check,
)
