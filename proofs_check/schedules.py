"""Belady's schedules under other prices, and the search for the smallest that is not optimal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from kvtheory.model import LongArray, PrefixTree, Trace
from kvtheory.offline.belady import belady
from kvtheory.offline.intervals import intervals_of
from kvtheory.offline.rounding import score_schedule
from kvtheory.offline.witness import Replayed, replay_schedule
from kvtheory.testing.instances import Parents, all_trees
from proofs_check.exhaustive import Optima
from proofs_check.instances import misses
from proofs_check.theorem import Row


def priced_belady(
    trace: Trace,
    capacity: int,
    cost: Sequence[int],
    *,
    size: Sequence[int] | None = None,
) -> Replayed:
    """Belady's schedule, priced by the replayer; with sizes, farthest next use until it fits."""
    parent, requests = trace.tree.parent.tolist(), trace.requests.tolist()
    if size is None:
        plan = belady(trace, capacity, witness=True)
        victims = [step.tolist() for step in np.split(plan.victims, plan.offsets[1:-1])]
    else:
        problem = intervals_of(trace, capacity, cost, size=size)
        victims = score_schedule(problem, -problem.end.astype(float))
    return replay_schedule(parent, requests, capacity, victims, miss_cost=cost, size=size)


def belady_against_all(nodes: int, length: int, *, bypass: bool) -> Row:
    """Belady against dynamic programming: every shape, capacity and sequence of exactly `length`."""
    wrong, count = 0, 0
    for n in range(1, nodes + 1):
        for parents in all_trees(n):
            tree = PrefixTree.from_parents(parents)
            for capacity in range(1, n + 1):
                for requests, best in Optima(parents, capacity, bypass=bypass).sequences(length):
                    trace = Trace(tree, np.array(requests, dtype=np.int32))
                    wrong += misses(trace, belady(trace, capacity, bypass=bypass).hit) != best
                    count += 1
    kind = "with" if bypass else "without"
    what = f"all shapes of at most {nodes} nodes, all sequences of {length} requests, {kind} bypass"
    return Row(f"{what}: Belady is not optimal", wrong, "==", 0, count)


@dataclass(frozen=True)
class Case:
    """One change of the rules under which Belady is run against the optimum.

    Attributes:
        cost: price of a miss, from the node's depth and size.
        sizes: whether nodes may have size 2 as well as 1.
        optimum_bypasses: the optimum may drop the served path, Belady may not.
        latency: the dearest request counts, not the sum.
    """

    cost: Callable[[int, int], int] = lambda depth, size: 1
    sizes: bool = False
    optimum_bypasses: bool = False
    latency: bool = False

    def optima(self, parents: Parents, capacity: int, size: Sequence[int]) -> Optima:
        """The optimum of every sequence under these rules."""
        return Optima(
            parents,
            capacity,
            cost=self.prices(parents, size)[1:],
            size=size,
            bypass=self.optimum_bypasses,
            latency=self.latency,
        )

    def prices(self, parents: Parents, size: Sequence[int]) -> list[int]:
        """Cost of a miss of node 0, 1, ..., n."""
        depth = PrefixTree.from_parents(parents).depth.tolist()
        return [0, *(self.cost(d, s) for d, s in zip(depth[1:], size, strict=True))]

    def belady(self, parents: Parents, capacity: int, size: Sequence[int], requests: Sequence[int]) -> int:
        """What Belady's schedule costs."""
        trace = Trace.from_parents(parents, requests)
        given = [0, *size] if self.sizes else None
        seen = priced_belady(trace, capacity, self.prices(parents, size), size=given)
        return int(max(seen.costs) if self.latency else seen.total)

    def paid(self, tree: PrefixTree, below: LongArray, capacity: int, requests: Sequence[int]) -> int:
        """The same without the replayer, for enumerations: from what each request hit; unit sizes only."""
        trace = Trace(tree, np.array(requests, dtype=np.int32))
        costs = below[trace.requests] - below[belady(trace, capacity).hit]
        return int(costs.max() if self.latency else costs.sum())

    def compared(
        self, parents: Parents, capacity: int, size: Sequence[int], requests: Sequence[int], *claimed: int
    ) -> Iterator[Row]:
        """Rows of one instance: what Belady and the optimum cost, against what is claimed."""
        optima, layer = self.optima(parents, capacity, size), {0: 0}
        for v in requests:
            layer = optima.step(layer, v)
        found = self.belady(parents, capacity, size, requests), min(layer.values())
        written = (
            f"parents {','.join(map(str, parents))}, k={capacity}, requests {','.join(map(str, requests))}"
        )
        for who, cost, claim in zip(("Belady", "OPT"), found, claimed, strict=True):
            yield Row(f"{written}: {who}", cost, "==", claim, 1)

    def failures(self, nodes: int, length: int) -> Iterator[bool]:
        """For every instance of exactly these sizes, whether Belady costs more than the optimum."""
        for parents in all_trees(nodes):
            tree = PrefixTree.from_parents(parents)
            for bits in range(1 << nodes if self.sizes else 1):
                size = [1 + (bits >> i & 1) for i in range(nodes)]
                below = tree.path_sums(np.array(self.prices(parents, size)))
                for capacity in range(1, sum(size) + 1):
                    optima = self.optima(parents, capacity, size)
                    for requests, best in optima.sequences(length):
                        if self.sizes:
                            yield self.belady(parents, capacity, size, requests) > best
                        else:
                            yield self.paid(tree, below, capacity, requests) > best

    def smallest(self, nodes: int, length: int, longest: int) -> list[Row]:
        """Rows: nothing fails with fewer nodes, nor with fewer requests, and something fails here.

        Args:
            nodes: nodes of the first failure, as claimed.
            length: its requests.
            longest: how many requests are tried on trees with fewer nodes.
        """
        fewer = [f for n in range(1, nodes) for m in range(1, longest + 1) for f in self.failures(n, m)]
        shorter = [f for m in range(1, length) for f in self.failures(nodes, m)]
        rows = []
        if fewer:
            what = f"fewer than {nodes} nodes, up to {longest} requests: failures"
            rows.append(Row(what, sum(fewer), "==", 0, len(fewer)))
        rows.append(
            Row(f"{nodes} nodes, fewer than {length} requests: failures", sum(shorter), "==", 0, len(shorter))
        )
        return rows
