"""Three chains of two nodes, k = 4: in the long run RLT costs more than leaf-LRU. Exact expectations."""

from kvtheory.engine.kernel import replay
from kvtheory.engine.reference import ReferenceEngine
from kvtheory.model import PrefixTree, Trace
from kvtheory.offline.belady import belady
from kvtheory.policies.lru import LeafLRU
from kvtheory.policies.rlt import RLT
from kvtheory.testing.chances import advance, certain

PARENTS, CAPACITY, CYCLE = [0, 1, 0, 3, 0, 5], 4, [2, 4, 5, 4, 6, 1, 6, 2, 3]
ROUNDS = 4

engine = ReferenceEngine(PrefixTree.from_parents(PARENTS), CAPACITY, RLT)
belief = certain(engine)
trace = Trace.from_parents(PARENTS, CYCLE * ROUNDS)
depth = trace.tree.depth
paid = {
    name: (depth[trace.requests] - depth[hit]).reshape(ROUNDS, -1).sum(axis=1).tolist()
    for name, hit in {"lru": replay(trace, CAPACITY, LeafLRU).hit, "opt": belady(trace, CAPACITY).hit}.items()
}
for round_ in range(ROUNDS):
    expected = 0
    for v in CYCLE:
        belief, misses = advance(engine, belief, v)
        expected += misses
    print(f"round {round_ + 1}: RLT {expected}, leaf-LRU {paid['lru'][round_]}, OPT {paid['opt'][round_]}")
