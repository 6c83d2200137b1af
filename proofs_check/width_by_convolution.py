"""The widths computed by min-plus convolution are the widths of the definition; the enclosure holds them."""

from __future__ import annotations

from collections.abc import Iterator

from kvtheory.model import PrefixTree
from kvtheory.testing.instances import Parents, all_trees
from kvtheory.width import Chains, enclose_leaves, width
from proofs_check.instances import closed_sets, leaves_of, members
from proofs_check.theorem import Kind, Row, Size, Theorem


def leaves_by_size(tree: PrefixTree, parents: Parents, depth: int) -> dict[int, int]:
    """Most leaves of a closed set of nodes of at most `depth`, for each size, from the definition."""
    most: dict[int, int] = {}
    for mask in closed_sets(parents):
        if all(tree.depth[v] <= depth for v in members(mask)):
            size = mask.bit_count()
            most[size] = max(most.get(size, 0), len(leaves_of(mask, parents)))
    return most


def check(size: Size) -> Iterator[Row]:
    """Every shape and every capacity, also where everything fits."""
    wrong, loose, apart, cases, small = 0, 0, 0, 0, 0
    for n in range(1, size["nodes"] + 1):
        for parents in all_trees(n):
            tree = PrefixTree.from_parents(parents)
            for k in range(1, n + 1):
                most = leaves_by_size(tree, parents, k)
                found = width(tree, k)
                w = max(leaves for nodes, leaves in most.items() if nodes <= k)
                wrong += (found.W, found.w) != (most.get(k + 1, 1), w)
                if k >= tree.height:
                    low, high = enclose_leaves(Chains.of(tree.parent), k)
                    loose += not low <= w <= high
                if k + 1 in most:
                    apart += found.w not in (found.W, found.W - 1)
                    small += 1
                cases += 1
    what = f"all shapes of at most {size['nodes']} nodes"
    yield Row(f"{what}: capacities where W or w differ", wrong, "==", 0, cases)
    yield Row(f"{what}: enclosures that miss w", loose, "==", 0, cases)
    yield Row(f"{what}, k+1 nodes of depth at most k: w is neither W nor W-1", apart, "==", 0, small)


THEOREM = Theorem(
    statement="W(T,k) = max{l : F(l) <= k+1} and w(T,k) = max{l : F(l) <= k}, with F the least nodes of a "
    "closed set with l leaves; the priced sets enclose both. w is W or W-1 where k+1 nodes have depth at "
    "most k.",
    kind=Kind.PROVED,
    covers=(4,),
    where="docs/theory/width.rst",
    sizes={"nodes": (7, 9, 10)},
    scope="every tree of at most {nodes} nodes and every capacity",
    check=check,
)
