"""The potential behind leaf-LRU's upper bound, and the claim that its proof turns on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from kvtheory.width import width
from proofs_check.instances import closed_sets, games, members, path_masks
from proofs_check.theorem import Kind, Row, Size, Theorem

Stack = tuple[int, ...]


class Potential:
    """Leaf-LRU as its stack, and Phi: its most misses on requests inside a set.

    Args:
        parents: parent of node 1, 2, ...
        capacity: nodes the cache holds; the stack is cut there.

    Attributes:
        stacks: every stack that occurs, from the empty cache.
        missed: misses of each node's request from each stack, shape (S, R).
        after: number of the stack it leads to, shape (S, R).
    """

    def __init__(self, parents: tuple[int, ...], capacity: int) -> None:
        self.capacity = capacity
        paths = [list(members(mask)) for mask in path_masks(parents)]
        self.requestable = [v for v, path in enumerate(paths) if 1 <= len(path) <= capacity]
        self.stacks: list[Stack] = [()]
        number: dict[Stack, int] = {(): 0}
        missed, after = [], []
        for stack in self.stacks:  # grows while it is walked
            missed.append([sum(u not in stack for u in paths[v]) for v in self.requestable])
            row = []
            for v in self.requestable:
                rest = (u for u in stack if u not in paths[v])
                top = (*paths[v], *rest)[:capacity]  # newest first, ancestors above
                if top not in number:
                    number[top] = len(self.stacks)
                    self.stacks.append(top)
                row.append(number[top])
            after.append(row)
        self.missed, self.after = np.array(missed), np.array(after)

    def phi(self, inside: int) -> npt.NDArray[np.int64]:
        """Most misses on requests inside a closed set, from every stack: longest walks, shape (S,)."""
        rows = [r for r, v in enumerate(self.requestable) if inside >> v - 1 & 1]
        best = np.zeros(len(self.stacks), dtype=np.int64)
        for _ in range(len(self.stacks) * (self.capacity + 1)):
            longer = (self.missed[:, rows] + best[self.after[:, rows]]).max(axis=1, initial=0)
            if (longer == best).all():
                break
            best = longer
        return best


def check(size: Size) -> Iterator[Row]:
    """Every stack, every closed set, every node that can be added, on every small tree."""
    worst, largest = -size["nodes"], -size["nodes"]
    cases, rises, slow, served = 0, 0, 0, 0
    for game in games(size["nodes"]):
        parents, k = game.parents[1:], game.capacity
        allowed = max(1, width(game.tree, k).W - 1)
        potential = Potential(parents, k)
        phi = {mask: potential.phi(mask) for mask in closed_sets(parents) if mask.bit_count() <= k}
        for inside, values in phi.items():
            largest = max(largest, int(values.max()) - k)
            larger = (inside | 1 << y for y in range(len(parents)))
            for gain in (phi[mask] - values for mask in larger if mask != inside and mask in phi):
                worst, rises = max(worst, int(gain.max()) - allowed), rises + int((gain < 0).sum())
                cases += gain.size
            for r, v in enumerate(potential.requestable):
                if inside >> v - 1 & 1:
                    fall = values - values[potential.after[:, r]]
                    slow += int((fall < potential.missed[:, r]).sum())
                    served += fall.size
    what = f"all stacks and closed sets on shapes of at most {size['nodes']} nodes"
    yield Row(f"{what}: largest Phi - k", largest, "<=", 0, cases)
    yield Row(f"{what}: largest Phi(O + y) - Phi(O) - max(1, W - 1)", worst, "<=", 0, cases)
    yield Row(f"{what}: evictions from O that raise Phi", rises, "==", 0, cases)
    yield Row(
        f"{what}: requests inside O after which Phi fell by less than the misses", slow, "==", 0, served
    )


THEOREM = Theorem(
    statement="Let Phi(stack, O) be the most misses of leaf-LRU on requests inside the closed set O. Phi <= "
    "k; adding a node to O raises it by at most max(1, W - 1), removing one never; serving inside O lowers "
    "it by the misses.",
    kind=Kind.PROVED,
    covers=(4,),
    where="docs/theory/width.rst",
    sizes={"nodes": (5, 7, 7)},
    scope="every reachable stack and every closed set on every tree of at most {nodes} nodes",
    check=check,
)
