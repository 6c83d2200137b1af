"""The ordered candidates of a random draw, one list per lane; :mod:`kvtheory.model` defines their order."""

from __future__ import annotations

import torch
from torch import Tensor

from adversaries.batch.words import Generators
from kvtheory.errors import PolicyError


class Candidates:
    """Lists of nodes that grow at the end and close a gap with their last.

    Args:
        lanes: how many lists.
        nodes: nodes of the tree.
        generators: one per lane.

    Attributes:
        listed: int64, shape (L,): the members as a mask, bit v for node v.
    """

    def __init__(self, lanes: int, nodes: int, generators: Generators) -> None:
        device = generators.state.device
        self.generators = generators
        self.order = torch.zeros((lanes, nodes + 2), dtype=torch.int64, device=device)
        self.length = torch.zeros(lanes, dtype=torch.int64, device=device)
        self.listed = torch.zeros(lanes, dtype=torch.int64, device=device)

    def append(self, lanes: Tensor, nodes: Tensor, which: Tensor) -> None:
        """Append to each lane's list, shape (B, m), the nodes that `which` names, from left to right."""
        place = self.length[lanes, None] + which.cumsum(1) - 1
        spare = self.order.shape[1] - 1
        self.order[lanes[:, None], torch.where(which, place, spare)] = nodes
        self.length[lanes] = self.length[lanes] + which.sum(1)
        members = ((torch.ones_like(nodes) << nodes) * which).sum(1)
        self.listed[lanes] = self.listed[lanes] | members

    def leave(self, lanes: Tensor, nodes: Tensor) -> None:
        """Remove one node, which is a member, from each lane's list."""
        place = (self.order[lanes, :-1] == nodes[:, None]).to(torch.uint8).argmax(1)
        self._remove(lanes, nodes, place)

    def _remove(self, lanes: Tensor, nodes: Tensor, place: Tensor) -> None:
        last = self.length[lanes] - 1
        self.order[lanes, place] = self.order[lanes, last]
        self.order[lanes, last] = 0
        self.length[lanes] = last
        self.listed[lanes] = self.listed[lanes] & ~(torch.ones_like(nodes) << nodes)

    def weights(self, lanes: Tensor, weight: Tensor) -> Tensor:
        """Weight of each candidate in order, 0 beyond the end, from the weight of every node, (B, n+1)."""
        nodes = self.order[lanes, :-1]
        return weight.gather(1, nodes) * (nodes > 0)

    def draw(self, policy: str, lanes: Tensor, weights: Tensor) -> Tensor:
        """Draw one candidate of each lane, with probability weight / total, and remove it.

        Raises:
            PolicyError: if a lane has no candidate of positive weight.
        """
        total = weights.sum(1)
        if bool((total <= 0).any()) or bool((weights < 0).any()):
            raise PolicyError(f"{policy}: no candidate of positive weight")
        drawn = self.generators.below(lanes, total)
        place = (weights.cumsum(1) <= drawn[:, None]).sum(1)
        victims = self.order[lanes, place]
        self._remove(lanes, victims, place)
        return victims
