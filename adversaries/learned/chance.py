"""Random search, the rival: sequences by chance, of three kinds, the best of which is kept."""

from __future__ import annotations

import torch
from torch import Tensor

from adversaries.batch.score import misses, optima
from adversaries.learned.training import Outcome, require_search, seeds_of
from kvtheory.model import PrefixTree
from kvtheory.policy import Policy
from kvtheory.ratio.instance import Instance

KINDS = ("nodes", "leaves", "cycles")
BATCH = 1024


def draw(instance: Instance, kind: str, count: int, length: int, generator: torch.Generator) -> Tensor:
    """Request sequences by chance, int64, shape (count, length).

    `nodes`: every request uniform over the requestable nodes; `leaves`: over those with no requestable node
    below; `cycles`: a uniform length from 2 to twice the capacity, that many requests of `leaves` or, every
    second time, of `nodes`, and these repeated.
    """
    inner = {instance.parents[v] for v in instance.requestable}
    everything = torch.tensor(instance.requestable)
    leaves = torch.tensor([v for v in instance.requestable if v not in inner])
    if kind != "cycles":
        pool = everything if kind == "nodes" else leaves
        return pool[torch.randint(len(pool), (count, length), generator=generator)]
    periods = torch.randint(2, 2 * instance.capacity + 1, (count, 1), generator=generator)
    periods = periods.clamp(max=length)
    rounds = [draw(instance, pool, count, length, generator) for pool in ("leaves", "nodes")]
    coin = torch.randint(2, (count, 1), generator=generator)
    once = torch.where(coin == 0, rounds[0], rounds[1])
    return once.gather(1, torch.arange(length).expand(count, -1) % periods)


def random_search(
    tree: PrefixTree,
    capacity: int,
    policy: type[Policy],
    *,
    kind: str,
    length: int,
    evaluations: int,
    seed: int,
) -> Outcome:
    """The best of `evaluations` random sequences of one kind, compared as the learned adversary's are.

    Arguments and errors as :func:`adversaries.learned.training.learn`; `kind` as :func:`draw`.
    """
    instance = require_search(tree, capacity, length, evaluations)
    generator = torch.Generator().manual_seed(seed)
    outcome = Outcome()
    for first in range(0, evaluations, BATCH):
        count = min(BATCH, evaluations - first)
        requests = draw(instance, kind, count, length, generator)
        alg = misses(tree, capacity, policy, requests, seeds_of(policy)).to(torch.float64).mean(1)
        ratios = alg / optima(tree, capacity, requests)
        for start in range(0, count, 64):
            part = slice(start, start + 64)
            outcome.offer(first + min(start + 64, count), requests[part], ratios[part])
    return outcome
