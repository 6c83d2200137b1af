"""The optimum of every short sequence on one small tree, by dynamic programming over all cache states.

Sequences that begin alike share the work. Nothing is assumed of the optimum: from a state one may move to
any closed set inside it and the path that fits and, unless bypass is allowed, holds the path.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from kvtheory.testing.instances import Parents
from proofs_check.instances import closed_sets, members, path_masks


@dataclass
class Optima:
    """OPT of every sequence over one tree.

    Args:
        parents: parent of node 1, 2, ...
        capacity: units the cache holds.
        cost: price of a miss of node 1, 2, ...; default 1.
        size: units of node 1, 2, ...; default 1.
        bypass: a served path need not stay.
        latency: minimise the dearest request instead of the sum.
    """

    parents: Parents
    capacity: int
    cost: Sequence[int] = ()
    size: Sequence[int] = ()
    bypass: bool = False
    latency: bool = False
    _moves: dict[tuple[int, int], tuple[int, ...]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.cost = self.cost or [1] * len(self.parents)
        self.size = self.size or [1] * len(self.parents)
        self.paths = path_masks(self.parents)
        self.states = [mask for mask in closed_sets(self.parents) if self.units(mask) <= self.capacity]
        self.fitting = [v for v in range(1, len(self.paths)) if self.units(self.paths[v]) <= self.capacity]

    def units(self, mask: int) -> int:
        """Room that a set takes."""
        return sum(self.size[v - 1] for v in members(mask))

    def price(self, mask: int) -> int:
        """Cost of missing every node of a set."""
        return sum(self.cost[v - 1] for v in members(mask))

    def step(self, layer: dict[int, int], v: int) -> dict[int, int]:
        """Least cost of ending in each state after one more request."""
        path, after = self.paths[v], dict[int, int]()
        for state, paid in layer.items():
            missed = self.price(path & ~state)
            total = max(paid, missed) if self.latency else paid + missed
            if (state, v) not in self._moves:
                held, most = 0 if self.bypass else path, state | path
                self._moves[state, v] = tuple(s for s in self.states if s & held == held and not s & ~most)
            for new in self._moves[state, v]:
                if total < after.get(new, total + 1):
                    after[new] = total
        return after

    def sequences(self, length: int) -> Iterator[tuple[tuple[int, ...], int]]:
        """Every sequence of `length` requests that fit, with the least cost of serving it."""
        yield from self._extend((), {0: 0}, length)

    def _extend(
        self, requests: tuple[int, ...], layer: dict[int, int], left: int
    ) -> Iterator[tuple[tuple[int, ...], int]]:
        if not left:
            yield requests, min(layer.values())
            return
        for v in self.fitting:
            yield from self._extend((*requests, v), self.step(layer, v), left - 1)
