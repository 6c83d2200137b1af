"""Four chains of two nodes, k = 6: in the long run RLT costs 10/3 of OPT, more than 2 H_w - 1. Exact."""

from fractions import Fraction

from kvtheory.engine.exact import ExactEngine
from kvtheory.model import PrefixTree, Trace
from kvtheory.offline.belady import belady
from kvtheory.policies.rlt import RLT
from kvtheory.ratio.belief import Beliefs
from kvtheory.ratio.instance import Instance
from kvtheory.ratio.symmetry import Symmetry
from kvtheory.width import width

PARENTS, CAPACITY, CYCLE = [0, 1, 0, 3, 0, 5, 0, 7], 6, [8, 5, 2, 6, 8, 3, 6, 4, 8, 1, 4, 2]
ROUNDS = 6

tree = PrefixTree.from_parents(PARENTS)
game = Instance.of(tree, CAPACITY)
beliefs = Beliefs(game, ExactEngine(tree, CAPACITY, RLT), Symmetry(game, enabled=False))
belief, known = beliefs.start, {}
trace = Trace.from_parents(PARENTS, CYCLE * ROUNDS)
missed = tree.depth[trace.requests] - tree.depth[belady(trace, CAPACITY).hit]
paid = missed.reshape(ROUNDS, -1).sum(axis=1).tolist()
for round_ in range(1, ROUNDS + 1):
    if belief in known:
        print(f"before round {round_} RLT's distribution is what it was before round {known[belief]}")
        break
    known[belief] = round_
    expected = Fraction(0)
    for v in CYCLE:
        misses, belief = beliefs.serve(belief, v)
        expected += misses
    print(f"round {round_}: RLT {expected}, OPT {paid[round_ - 1]}, ratio {expected / paid[round_ - 1]}")
w = width(tree, CAPACITY)
print(f"W = {w.W}, w = {w.w}: 2 H_w - 1 = {2 * w.harmonic_w() - 1}, and leaf-LRU is within W - 1 = {w.W - 1}")
