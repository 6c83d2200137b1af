"""Partition on the smallest tree where it exceeds H_(W-1): every draw taken in turn."""

from fractions import Fraction

from kvtheory.engine.object_reference import ObjectReference
from kvtheory.model import PrefixTree
from kvtheory.policies.partition import Partition
from kvtheory.testing.chances import advance, certain
from kvtheory.testing.instances import SmallOptimum

PARENTS, CAPACITY, CYCLE = (0, 0, 0, 1), 3, [3, 2, 4, 1, 3, 3, 4, 4, 3, 4]

engine = ObjectReference(PrefixTree.from_parents(PARENTS), CAPACITY, Partition)
belief, optimum = certain(engine), SmallOptimum(PARENTS, CAPACITY)
work = optimum.start
for round_ in range(4):
    expected, least = Fraction(0), 0
    for v in CYCLE:
        belief, misses = advance(engine, belief, v)
        work, grown = optimum.step(work, v)
        expected, least = expected + misses, least + grown
    print(f"round {round_ + 1}: Partition {expected}, OPT {least}")
