"""DBL: ARC's two queues with the border fixed in the middle."""

from __future__ import annotations

from kvtheory.policies.arc import ARC
from kvtheory.rng import SplitMix64


class DBL(ARC):
    """Double queue: ARC without adaptation, half of the cache for nodes seen once. [Shen2026]_

    The KV-caching paper measures ARC against it. We had its description (the same two queues, a fixed 1:1
    split), not its code: ghosts are kept here as ARC keeps them, so that a node that returns in time counts
    as seen again. That is what the authors of ARC call a fixed replacement cache, with p = c / 2.
    [Megiddo2003]_ Trees as in ARC.
    """

    name = "dbl"
    source = "Shen2026 Megiddo2003"
    kernel = "kvtheory.engine.kernels.arc"
    adapts = False

    def __init__(self, capacity: int, rng: SplitMix64) -> None:
        super().__init__(capacity, rng)
        self.p = capacity / 2
