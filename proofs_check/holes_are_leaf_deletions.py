"""RLT's holes stay distributed as uniform leaf deletions, whatever is requested."""

from __future__ import annotations

from collections.abc import Iterator

from kvtheory.testing.instances import all_trees
from proofs_check.deletions import alive, refetched
from proofs_check.instances import path_masks
from proofs_check.theorem import Kind, Row, Size, Theorem


def check(size: Size) -> Iterator[Row]:
    """Every forest of unmarked nodes, every number of holes, every requested path."""
    wrong, cases = 0, 0
    for n in range(1, size["nodes"] + 1):
        for parents in all_trees(n):
            everything = (1 << n) - 1
            for path in path_masks(parents)[1:]:
                rest = everything & ~path
                for h in range(rest.bit_count() + 1):
                    wrong += refetched(parents, everything, h, path) != alive(parents, rest, h)
                    cases += 1
    what = f"all forests of at most {size['nodes']} nodes, all paths and numbers of holes"
    yield Row(f"{what}: distributions that differ", wrong, "==", 0, cases)


THEOREM = Theorem(
    statement="If the holes among RLT's unmarked nodes U come from h uniform leaf deletions from U, then "
    "after a request of path P those among U without P come from h uniform leaf deletions from U without P "
    "(C1).",
    kind=Kind.PROVED,
    covers=(7,),
    where="docs/theory/rlt.rst",
    sizes={"nodes": (5, 7, 8)},
    scope="every forest of at most {nodes} nodes, every path, every number of holes",
    check=check,
)
