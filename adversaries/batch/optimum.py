"""OPT of many sequences at once: Belady where the future is known, work functions where it is not.

Both are exact. Belady takes any tree of at most 62 nodes; the work function is a table over all closed sets,
so that its instance must be small, and in return it is there after every request.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from adversaries.batch.tables import Tables
from adversaries.batch.words import popcount
from kvtheory.model import PrefixTree
from kvtheory.ratio.instance import Instance

NEVER = 1 << 13


def belady(tree: PrefixTree, capacity: int, requests: Tensor, device: str | torch.device = "cpu") -> Tensor:
    """The fewest misses of every request sequence, from the empty cache: farthest next use. [Belady1966]_

    Args:
        tree: the prefixes, at most 62 nodes.
        capacity: nodes a cache holds.
        requests: int64, shape (L, T): nodes whose paths fit; 0 is an empty prompt.
        device: where to compute.

    Returns:
        int64, shape (L,).

    Raises:
        InputError: as :class:`adversaries.batch.tables.Tables`, or for a request that does not fit.
    """
    tables = Tables(tree, capacity, device)
    chosen = tables.requests(requests)
    lanes, length = chosen.shape
    upcoming = torch.empty((length, lanes, tables.nodes.shape[1]), dtype=torch.int32, device=tables.device)
    following = torch.full((lanes, tables.size), length, dtype=torch.int32, device=tables.device)
    for t in range(length - 1, -1, -1):
        nodes = tables.nodes[chosen[:, t]]
        upcoming[t] = following.gather(1, nodes)
        following.scatter_(1, nodes, t)
    cached, misses = tables.zeros(lanes), tables.zeros(lanes)
    size, next_use = tables.zeros(lanes), torch.zeros_like(following)
    for t in range(length):
        tip = chosen[:, t]
        path = tables.path[tip]
        missed = popcount(path & ~cached)
        misses += missed
        size += missed
        cached |= path
        next_use.scatter_(1, tables.nodes[tip], upcoming[t])
        while len(over := (size > capacity).nonzero()[:, 0]):
            free = tables.free(cached[over], tip[over])
            victim = next_use[over].masked_fill(~free, -1).argmax(1)
            cached[over] = cached[over] & ~tables.bit[victim]
            size[over] = size[over] - 1
    return misses


class WorkFunctions:
    """The normalised work function of every lane, from the empty cache; see :mod:`kvtheory.ratio`.

    Args:
        instance: tree, capacity and requestable nodes; its closed sets must be few enough for a table.
        lanes: how many sequences.
        device: where to compute.

    Attributes:
        value: int16, shape (M, L): the work function at `instance.closed[i]`, less its minimum.
        total: int64, shape (L,): OPT of the requests so far.

    Raises:
        LimitError: if there are more than 2**18 closed sets.
    """

    def __init__(self, instance: Instance, lanes: int, device: str | torch.device = "cpu") -> None:
        self.instance, self.device = instance, torch.device(device)
        closed = instance.closed
        paths = np.array(instance.paths, dtype=np.int64)
        holds = (closed[:, None] & paths) == paths
        self.holds = torch.as_tensor(holds, device=self.device)
        self.lower, self.upper = self._steps()
        self.with_node = [self._rows(holds[:, v]) for v in instance.requestable]
        self.without = [self._rows(~holds[:, v]) for v in instance.requestable]
        sizes = [mask.bit_count() for mask in closed.tolist()]
        start = torch.tensor(sizes, dtype=torch.int16, device=self.device)
        self.value = start[:, None].repeat(1, lanes)
        self.total = torch.zeros(lanes, dtype=torch.int64, device=self.device)

    def _rows(self, which: object) -> Tensor:
        rows: Tensor = torch.as_tensor(which, device=self.device).nonzero()[:, 0]
        return rows

    def _steps(self) -> tuple[list[Tensor], list[Tensor]]:
        """For every used node, ascending: the sets without it, and the same with it."""
        index, lower, upper = self.instance.index, [], []
        for v in self.instance.used:
            bit = 1 << v - 1
            pairs = [
                (i, index[mask | bit]) for mask, i in index.items() if not mask & bit and mask | bit in index
            ]
            table = torch.tensor(pairs, dtype=torch.int64, device=self.device).reshape(-1, 2)
            lower.append(table[:, 0].contiguous())
            upper.append(table[:, 1].contiguous())
        return lower, upper

    def serve(self, requests: Tensor) -> Tensor:
        """Move every lane by one request, int64, shape (L,); returns by how much its OPT grew."""
        work = self.value.masked_fill(~self.holds[:, requests], NEVER)
        for low, high in zip(reversed(self.lower), reversed(self.upper), strict=True):
            work[low] = torch.minimum(work[low], work[high])
        for low, high in zip(self.lower, self.upper, strict=True):
            work[high] = torch.minimum(work[high], work[low] + 1)
        least = work.amin(0)
        self.value = work - least
        grown = least.to(torch.int64)
        self.total += grown
        return grown

    def increases(self) -> Tensor:
        """By how much a request for each requestable node would raise OPT, int16, shape (L, R)."""
        return torch.stack([self.value[rows].amin(0) for rows in self.with_node], 1)

    def prices(self) -> Tensor:
        """What it would cost OPT not to hold each requestable node now, int16, shape (L, R)."""
        return torch.stack([self.value[rows].amin(0) for rows in self.without], 1)
