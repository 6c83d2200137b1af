"""A tree's tables on a device, and the questions that every batch asks of them."""

from __future__ import annotations

import torch
from torch import Tensor

from adversaries.batch.layout import Layout
from kvtheory.model import PrefixTree


class Tables:
    """The tensors of a :class:`adversaries.batch.layout.Layout`, by the same names.

    Args:
        tree: the prefixes, at most 62 nodes.
        capacity: nodes the cache holds, at least 1.
        device: where the tensors live.

    Raises:
        InputError: as :meth:`adversaries.batch.layout.Layout.of`.
    """

    def __init__(self, tree: PrefixTree, capacity: int, device: str | torch.device) -> None:
        layout = Layout.of(tree, capacity)
        self.layout, self.device = layout, torch.device(device)
        self.capacity, self.size = layout.capacity, layout.depth.size
        self.depth, self.parent = self._tensor(layout.depth), self._tensor(layout.parent)
        self.path, self.nodes = self._tensor(layout.path), self._tensor(layout.nodes)
        self.bit, self.reach = self._tensor(layout.bit), self._tensor(layout.reach)

    def _tensor(self, array: object) -> Tensor:
        tensor: Tensor = torch.as_tensor(array, device=self.device)
        return tensor

    def zeros(self, *shape: int) -> Tensor:
        """An int64 tensor of zeros."""
        tensor: Tensor = torch.zeros(shape, dtype=torch.int64, device=self.device)
        return tensor

    def requests(self, requests: object) -> Tensor:
        """Requested nodes as an int64 tensor on the device.

        Raises:
            InputError: for a request that is no node, or does not fit into the cache.
        """
        chosen: Tensor = torch.as_tensor(requests, dtype=torch.int64)
        self.layout.require_fits(chosen.cpu().numpy())
        return chosen.to(self.device)

    def leaf(self, cached: Tensor, nodes: Tensor) -> Tensor:
        """Whether nodes, shape (B, m), are leaves of their lane's cache, shape (B,); false for node 0."""
        found: Tensor = (cached[:, None] & self.reach[nodes]) == self.bit[nodes]
        return found

    def free(self, cached: Tensor, pinned: Tensor) -> Tensor:
        """Every node that may be evicted: the leaves, but for the pinned one; bool, shape (B, n+1)."""
        found: Tensor = (cached[:, None] & self.reach) == self.bit
        return found.scatter_(1, pinned[:, None], False)
