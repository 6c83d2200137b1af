"""The smallest instances on which Belady on trees is not optimal, against dynamic programming."""

from kvtheory.model import Trace
from kvtheory.offline.belady import belady
from kvtheory.offline.brute import brute

CASES = [  # what is charged, parents of nodes 1.., k, requests, miss cost of nodes 1.., is bypass allowed
    ("depth", (0, 1, 1, 0), 3, (2, 4, 3, 4, 2), (1, 2, 2, 1), False),
    ("100 + depth", (0, 1, 1, 0), 3, (2, 4, 3, 4, 2), (101, 102, 102, 101), False),
    ("10 - depth", (0, 1, 1, 0), 3, (2, 4, 3, 2, 4), (9, 8, 8, 9), False),
    ("1, no-bypass schedule, bypass allowed", (0, 0), 1, (1, 2, 1), (1, 1), True),
]

for name, parents, k, requests, cost, bypass in CASES:
    trace = Trace.from_parents(parents, requests)
    tree, price = trace.tree, [0, *cost]
    total = 0
    for v, hit in zip(requests, belady(trace, k).hit.tolist(), strict=True):
        total += sum(price[u] for u in tree.path(v) if tree.depth[u] > tree.depth[hit])
    best = brute(tree, requests, k, bypass=bypass, cost=price)
    print(f"a miss costs {name}: Belady {total}, OPT {best}")
