"""Partition and RLT on the cycles that are bad for RLT."""

from kvtheory.engine.kernel import replay
from kvtheory.model import Trace
from kvtheory.offline.belady import belady
from kvtheory.registry import every_policy

CASES = {
    "three chains of two, k = 4": ([0, 1, 0, 3, 0, 5], 4, [2, 4, 5, 4, 6, 1, 6, 2, 3]),
    "four chains of two, k = 6": ([0, 1, 0, 3, 0, 5, 0, 7], 6, [8, 5, 2, 6, 8, 3, 6, 4, 8, 1, 4, 2]),
}
SEEDS = 10

for name, (parents, capacity, cycle) in CASES.items():
    trace = Trace.from_parents(parents, cycle * 400)
    depth = trace.tree.depth
    least = trace.accesses - int(depth[belady(trace, capacity).hit].sum())
    said = []
    for policy in ("rlt", "lru", "partition"):
        hits = [replay(trace, capacity, every_policy()[policy], seed).hit for seed in range(SEEDS)]
        misses = sum(trace.accesses - int(depth[hit].sum()) for hit in hits) / SEEDS
        said.append(f"{policy} {misses / least:.3f}")
    print(f"{name}: {', '.join(said)} times OPT")
