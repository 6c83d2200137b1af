"""Recursive LRU: the least recently used node, and down from it to a leaf."""

from __future__ import annotations

from kvtheory.policies.lru import LeafLRU


class RecursiveLRU(LeafLRU):
    """Least recently used node; while others depend on it, the least recently used of those. [Dallot2024]_

    *What is reconstruction.* We had the name, the abstract and the bounds of the paper, not its text. A
    request uses the whole path, as its nodes must all be cached. (Were only the tip used, the rule would have
    no finite ratio: hubs that are never requested themselves would be the oldest nodes, and lead to leaves
    that are in use. The tests play this sequence.)

    On trees it is leaf-LRU, victim for victim. Let x be a least recently used node, last used at time t. What
    is cached below x was used no later than x, so at t too: it lies on the one path that was requested then,
    and the descent ends in the deepest cached node of that path, which is the deepest leaf of the oldest use.
    That order, oldest first and then deepest, is leaf-LRU's `rank` and the engine's rule for ties; so is the
    ratio. Hence the hooks are inherited.
    """

    name = "recursive_lru"
    source = "Dallot2024 Sleator1985"
