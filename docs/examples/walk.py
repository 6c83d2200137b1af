"""Five requests, step by step, under leaf-LRU and under Belady on trees."""

from kvtheory.engine.reference import ReferenceEngine
from kvtheory.model import PrefixTree, Trace
from kvtheory.offline.belady import belady
from kvtheory.policies.lru import LeafLRU

PARENTS, CAPACITY, REQUESTS = [0, 1, 1, 0], 3, [2, 3, 4, 2, 4]

tree = PrefixTree.from_parents(PARENTS)
plan = belady(Trace.from_parents(PARENTS, REQUESTS), CAPACITY, witness=True)
victims = [plan.victims[a:b].tolist() for a, b in zip(plan.offsets, plan.offsets[1:], strict=False)]
hits, evicted = ReferenceEngine(tree, CAPACITY, LeafLRU).run(REQUESTS)
for name, hit, out in (("leaf-LRU", hits, evicted), ("Belady", plan.hit.tolist(), victims)):
    cached: set[int] = set()
    print(f"{name}, k = {CAPACITY}")
    for v, u, gone in zip(REQUESTS, hit, out, strict=True):
        cached = (cached | set(tree.path(v))) - set(gone)
        misses = int(tree.depth[v] - tree.depth[u])
        print(f"  ask {v}: hit {tree.path(u)}, {misses} missed, evict {gone}, then {sorted(cached)}")
