"""Phases: which nodes of each lane are marked, and in which order they were."""

from __future__ import annotations

import torch
from torch import Tensor


class Marks:
    """The marks of every lane.

    Args:
        lanes: how many.
        nodes: nodes of the tree.
        capacity: nodes a cache holds.
        ordered: whether the order of marking is kept.
        device: where.

    Attributes:
        marked: int64, shape (L, n+1): 1 for marked nodes; the hooks' column.
        count: int64, shape (L,): how many are.
    """

    def __init__(self, lanes: int, nodes: int, capacity: int, ordered: bool, device: torch.device) -> None:
        self.capacity, self.ordered = capacity, ordered
        self.marked = torch.zeros((lanes, nodes + 1), dtype=torch.int64, device=device)
        self.count = torch.zeros(lanes, dtype=torch.int64, device=device)
        self.order = torch.zeros((lanes, nodes + 2 if ordered else 1), dtype=torch.int64, device=device)

    def _fresh(self, lanes: Tensor, nodes: Tensor) -> Tensor:
        """Which nodes of some paths, shape (B, m), 0 for none, are not marked."""
        return (nodes > 0) & (self.marked[lanes[:, None], nodes] == 0)

    def overflowing(self, lanes: Tensor, nodes: Tensor) -> Tensor:
        """Those lanes whose marks and path, shape (B, m), would exceed the capacity."""
        exceeds = self.count[lanes] + self._fresh(lanes, nodes).sum(1) > self.capacity
        return lanes[exceeds]

    def clear(self, lanes: Tensor) -> Tensor:
        """Clear the marks of some lanes; returns what was marked, in order, shape (B, n), 0 for none."""
        self.marked[lanes] = 0
        self.count[lanes] = 0
        order = self.order[lanes, :-1]
        self.order[lanes] = 0
        return order

    def mark(self, lanes: Tensor, nodes: Tensor) -> None:
        """Mark a path of each lane, shape (B, m), root to tip, 0 for none."""
        fresh = self._fresh(lanes, nodes)
        if self.ordered:
            place = self.count[lanes, None] + fresh.cumsum(1) - 1
            spare = self.order.shape[1] - 1
            self.order[lanes[:, None], torch.where(fresh, place, spare)] = nodes
        self.count[lanes] = self.count[lanes] + fresh.sum(1)
        rows = lanes[:, None].expand_as(nodes)
        self.marked[rows[fresh], nodes[fresh]] = 1
