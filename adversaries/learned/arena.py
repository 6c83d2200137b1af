"""Where adversaries play: many sequences at once against a policy and OPT, and what the next move can see."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from adversaries.batch.engine import BatchEngine
from adversaries.batch.optimum import WorkFunctions
from kvtheory.policy import Policy
from kvtheory.ratio.instance import Instance

FEATURES = 8
PRICES = 4


class Arena:
    """Sequences that grow by one request at a time, all from the empty cache.

    Args:
        instance: tree, capacity and requestable nodes.
        policy: the policy they are played against.
        sequences: how many, B.
        seeds: every sequence is played under each of them; one is enough for a policy that does not draw.
        device: where to compute.

    Attributes:
        alg: float64, shape (B,): mean misses over the seeds so far.
    """

    def __init__(
        self,
        instance: Instance,
        policy: type[Policy],
        sequences: int,
        seeds: Sequence[int],
        device: str | torch.device = "cpu",
    ) -> None:
        self.instance, self.seeds = instance, len(seeds)
        self.engine = BatchEngine(instance.tree, instance.capacity, policy, list(seeds) * sequences, device)
        self.work = WorkFunctions(instance, sequences, device)
        tables = self.engine.tables
        self.choices = torch.tensor(instance.requestable, device=tables.device)
        self.height = max(1, int(tables.depth[self.choices].max()))
        self.nodes = torch.arange(tables.size, device=tables.device)
        self.asked = tables.zeros(sequences, len(self.choices)) - 4 * len(self.choices)
        self.alg = torch.zeros(sequences, dtype=torch.float64, device=tables.device)
        self.rows = torch.arange(sequences, device=tables.device)

    def held(self) -> Tensor:
        """How likely each node is cached, float32, shape (B, n+1): its share of the seeds."""
        bits = (self.engine.cached[:, None] >> self.nodes) & 1
        return bits.reshape(-1, self.seeds, len(self.nodes)).to(torch.float32).mean(1)

    def features(self) -> Tensor:
        """What is known of each requestable node, float32, shape (B, R, 8), each of the order of 1.

        By column: the expected misses of a request for it; the growth of OPT; the misses where OPT would not
        grow; what OPT would pay for not holding it; how likely it is cached; how long ago it was asked for;
        whether OPT would grow; its depth.
        """
        tables, height = self.engine.tables, self.height
        held = self.held()
        held[:, 0] = 0
        misses = tables.depth[self.choices] - held[:, tables.nodes[self.choices]].sum(2)
        growth = self.work.increases().to(torch.float32)
        prices = self.work.prices().clamp(max=PRICES).to(torch.float32)
        ago = (self.engine.time - self.asked).to(torch.float32)
        columns = [
            misses / height,
            growth / height,
            misses * (growth == 0) / height,
            prices / PRICES,
            held[:, self.choices],
            ago / (ago + len(self.choices)),
            (growth > 0).to(torch.float32),
            (tables.depth[self.choices] / height).expand_as(misses),
        ]
        return torch.stack(columns, 2)

    def play(self, moves: Tensor) -> tuple[Tensor, Tensor]:
        """Ask every sequence's cache for the requestable node of that index, int64, shape (B,).

        Returns:
            Mean misses, float64, and the growth of OPT, int64, both of shape (B,).
        """
        self.asked[self.rows, moves] = self.engine.time
        requests = self.choices[moves]
        missed = self.engine.serve(requests.repeat_interleave(self.seeds))
        mean = missed.reshape(-1, self.seeds).to(torch.float64).mean(1)
        self.alg += mean
        return mean, self.work.serve(requests)

    def ratios(self) -> Tensor:
        """ALG/OPT of every sequence so far, float64, shape (B,)."""
        return self.alg / self.work.total
