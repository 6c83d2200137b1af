"""Misses of many sequences under many seeds, in batches that fit into memory."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from adversaries.batch.engine import BatchEngine
from adversaries.batch.optimum import belady
from kvtheory.model import PrefixTree
from kvtheory.policy import Policy

LANES = {"cpu": 1 << 12, "cuda": 1 << 16}
"""Lanes at once: on a CPU what its caches hold, elsewhere enough to keep the device busy."""


def most_lanes(device: str | torch.device) -> int:
    """Lanes that are served at once on a device."""
    return LANES.get(torch.device(device).type, LANES["cuda"])


def misses(
    tree: PrefixTree,
    capacity: int,
    policy: type[Policy],
    requests: Tensor,
    seeds: Sequence[int] = (0,),
    device: str | torch.device = "cpu",
) -> Tensor:
    """Misses of every sequence under every seed, from the empty cache, int64, shape (Q, S).

    Args:
        tree: the prefixes, at most 62 nodes.
        capacity: nodes a cache holds.
        policy: the eviction policy.
        requests: int64, shape (Q, T): nodes whose paths fit; 0 is an empty prompt.
        seeds: of the draws; one is enough for a policy that does not draw.
        device: where to compute.

    Raises:
        InputError: if the tree is too large, or a request does not fit.
        PolicyError: as :meth:`adversaries.batch.engine.BatchEngine.serve`.
    """
    share = max(1, most_lanes(device) // len(seeds))
    found = [torch.zeros((0, len(seeds)), dtype=torch.int64)]
    for first in range(0, len(requests), share):
        part = requests[first : first + share]
        engine = BatchEngine(tree, capacity, policy, list(seeds) * len(part), device)
        chosen = engine.tables.requests(part).repeat_interleave(len(seeds), 0)
        total = engine.tables.zeros(len(chosen))
        for t in range(chosen.shape[1]):
            total += engine.serve(chosen[:, t])
        found.append(total.reshape(len(part), len(seeds)).cpu())
    return torch.cat(found)


def optima(tree: PrefixTree, capacity: int, requests: Tensor, device: str | torch.device = "cpu") -> Tensor:
    """OPT of every sequence, int64, shape (Q,); arguments and errors as :func:`misses`."""
    share = most_lanes(device)
    parts = [
        belady(tree, capacity, requests[first : first + share], device).cpu()
        for first in range(0, len(requests), share)
    ]
    return torch.cat([torch.zeros(0, dtype=torch.int64), *parts])
