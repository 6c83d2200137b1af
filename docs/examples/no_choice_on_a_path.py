"""A theorem of one's own: on a path there is nothing to choose, so that even leaf-MRU is optimal.

What is cached of a path is a beginning of it, and its only leaf is its last node: whatever a policy prefers,
it evicts that node, as the optimum has to.
"""

from collections.abc import Iterator
from itertools import product

from kvtheory.engine.reference import ReferenceEngine
from kvtheory.model import Trace
from kvtheory.offline.belady import belady
from kvtheory.policies.mru import LeafMRU
from proofs_check.theorem import Effort, Kind, Row, Size, Theorem


def check(size: Size) -> Iterator[Row]:
    wrong, cases = 0, 0
    for capacity in range(1, size["nodes"] + 1):
        for requests in product(range(1, capacity + 1), repeat=size["requests"]):
            trace = Trace.from_parents(range(size["nodes"]), requests)
            hits, _ = ReferenceEngine(trace.tree, capacity, LeafMRU).run(requests)
            wrong += hits != belady(trace, capacity).hit.tolist()
            cases += 1
    yield Row("sequences on which the hits are not the optimum's", wrong, "==", 0, cases)


THEOREM = Theorem(
    statement="On a path leaf-MRU hits what the optimum hits, request for request.",
    kind=Kind.PROVED,
    covers=(),
    where="the docstring of its file",
    sizes={"nodes": (3, 4, 5), "requests": (3, 4, 5)},
    scope="all sequences of {requests} requests on a path of {nodes} nodes, every capacity",
    check=check,
)

if __name__ == "__main__":
    for row in THEOREM.outcome(Effort.DEEP)[0]:
        print(f"{row.what}: {row.computed} of {row.instances:,}; claimed: {row.claimed}")
