"""The widths computed by min-plus convolution are the widths of the definition; the enclosure holds them."""

from __future__ import annotations

from collections.abc import Iterator

from kvtheory.model import PrefixTree
from kvtheory.testing.instances import all_trees
from kvtheory.width import Chains, enclose_leaves, width
from proofs_check.theorem import Effort, Row, Theorem


def leaves_by_size(tree: PrefixTree, depth: int) -> dict[int, int]:
    """Most leaves of a closed set of nodes of at most `depth`, for each size, from the definition."""
    most: dict[int, int] = {0: 0}
    allowed = [v for v in range(1, tree.n + 1) if tree.depth[v] <= depth]
    for mask in range(1 << len(allowed)):
        members = {v for i, v in enumerate(allowed) if mask >> i & 1}
        above = {int(tree.parent[v]) for v in members}
        if above <= members | {0}:
            most[len(members)] = max(most.get(len(members), 0), len(members - above))
    return most


def check(effort: Effort) -> Iterator[Row]:
    """Every shape up to 7 (deep: 10) nodes and every capacity."""
    nodes = 7 if effort is Effort.QUICK else 10
    wrong, loose, cases = 0, 0, 0
    for n in range(1, nodes + 1):
        for parents in all_trees(n):
            tree = PrefixTree.from_parents(parents)
            for k in range(1, n + 1):
                most = leaves_by_size(tree, k)
                found = width(tree, k)
                w = max(leaves for size, leaves in most.items() if size <= k)
                wrong += (found.W, found.w) != (most.get(k + 1, 1), w)
                if k >= tree.height:
                    low, high = enclose_leaves(Chains.of(tree.parent), k)
                    loose += not low <= w <= high
                cases += 1
    yield Row(f"all shapes of at most {nodes} nodes: capacities where W or w differ", wrong, "==", 0, cases)
    yield Row(f"all shapes of at most {nodes} nodes: enclosures that miss w", loose, "==", 0, cases)


THEOREM = Theorem(
    statement="W(T,k) = max{l : F(l) <= k+1} and w(T,k) = max{l : F(l) <= k}, with F the least nodes of a "
    "closed set with l leaves; the priced sets enclose both.",
    status="proved",
    where="docs/theory/width.rst",
    check=check,
)
