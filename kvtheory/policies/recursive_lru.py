"""Recursive LRU: the least recently used node, and down from it to a leaf."""

from __future__ import annotations

from kvtheory.policy import ORDER, Claim, Policy, State, Trait


class RecursiveLRU(Policy):
    """Least recently used node; while others depend on it, the least recently used of those. [Dallot2024]_

    *What is reconstruction.* We had the name, the abstract and the bounds of the paper, not its text. A
    request uses the whole path, as its nodes must all be cached. (Were only the tip used, the rule would have
    no finite ratio: hubs that are never requested themselves would be the oldest nodes, and lead to leaves
    that are in use. The tests play this sequence.)

    On trees it is leaf-LRU, victim for victim. Let x be a least recently used node, last used at time t. What
    is cached below x was used no later than x, so at t too: it lies on the one path that was requested then,
    and the descent ends in the deepest cached node of that path, which is the deepest leaf of the oldest use.
    That order, oldest first and then deepest, is this policy's `rank` and the engine's rule for ties; the
    ratio is leaf-LRU's.
    """

    name = "recursive_lru"
    source = "Dallot2024 Sleator1985"
    columns = {"last_use": ORDER}
    traits = Trait.RECENCY | Trait.TOUCH
    claims = (Claim("max(1, W - 1)", lambda w: max(1, w.W - 1), tight=True),)

    @staticmethod
    def on_access(s: State, v: int, t: int) -> None:
        s.last_use[v] = t

    @staticmethod
    def rank(s: State, v: int) -> int:
        return s.last_use[v]
