"""From the quotient by symmetry back to concrete nodes: request sequences that a person can replay."""

from __future__ import annotations

from typing import Any

import numpy as np

from kvtheory.ratio.product import Player, Product, Turner

Steps = list[tuple[int, int]]


def concrete_cycle(
    found: Product, player: Player, turner: Turner, cycle: Steps
) -> tuple[list[int], list[int]]:
    """Requests from the empty cache to a cycle of pairs, and round it, until the concrete pair recurs.

    Args:
        found: the product.
        player: the automaton it was built from.
        turner: its work functions.
        cycle: (pair, request) steps of the product that return to the first pair.

    Returns:
        Prefix and cycle, nodes of the tree.
    """
    first = min(range(len(cycle)), key=lambda i: cycle[i][0])
    cycle = cycle[first:] + cycle[:first]
    walker = _Walker(found, player, turner)
    requests = [walker.step(s, r) for s, r in _path_to(found, cycle[0][0])]
    seen: dict[Any, int] = {}
    while (here := (walker.state, walker.work)) not in seen:
        seen[here] = len(requests)
        requests += [walker.step(s, r) for s, r in cycle]
    return requests[: seen[here]], requests[seen[here] :]


def idle_cycle(player: Player, turner: Turner) -> tuple[list[int], list[int]]:
    """The first requestable node again and again, until nothing changes: a cycle on which nobody pays."""
    v, state, work, requests = turner.work.instance.requestable[0], player.start, 0, 0
    while True:
        after, next_work = player.serve(state, v), int(turner.work.next[work, 0])
        if (after, next_work) == (state, work):
            return [v] * requests, [v]
        state, work, requests = after, next_work, requests + 1


def _path_to(found: Product, pair: int) -> Steps:
    """A shortest path from the first pair: states were discovered breadth first."""
    requests = found.target.shape[1]
    reached, edge = np.unique(found.target.reshape(-1), return_index=True)
    entered_by = dict(zip(reached.tolist(), edge.tolist(), strict=True))
    path = []
    while pair:
        s, r = divmod(entered_by[pair], requests)
        path.append((s, r))
        pair = s
    return path[::-1]


class _Walker:
    """A concrete pair that follows edges of the quotient."""

    def __init__(self, found: Product, player: Player, turner: Turner) -> None:
        self.player, self.turner, self.found = player, turner, found
        self.requestable = turner.work.instance.requestable
        pairs = zip(found.player.tolist(), found.work.tolist(), strict=True)
        self.number = {pair: i for i, pair in enumerate(pairs)}
        self.state, self.work = player.start, 0

    def step(self, s: int, r: int) -> int:
        """Take, and return, a request that looks like the r-th of pair `s`; the r-th itself if it does."""
        increase = self.turner.work.increase
        p, image = self.player.locate(self.state)
        wanted = (self.player.cost[p, r], increase[self.found.work[s], r])
        for other in (r, *range(len(self.requestable))):
            v = self.requestable[other]
            turned = self.requestable.index(image[v])
            if (self.player.cost[p, turned], increase[self.work, other]) != wanted:
                continue
            state, work = self.player.serve(self.state, v), int(self.turner.work.next[self.work, other])
            if self._pair(state, work) == self.found.target[s, r]:
                self.state, self.work = state, work
                return int(v)
        raise AssertionError("an edge of the quotient has no concrete counterpart")

    def _pair(self, state: Any, work: int) -> int:
        """The pair of the quotient, or -2 where none was explored."""
        p, image = self.player.locate(state)
        if p < 0:
            return -2
        least = self.turner.least(self.player.stabilisers[self.player.symmetry[p]])
        return self.number.get((p, int(least[self.turner.turned(image)[work]])), -2)
