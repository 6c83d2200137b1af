"""Blind oracle: what is predicted is done."""

from __future__ import annotations

from collections.abc import Collection

from kvtheory.advice.advised import Advised
from kvtheory.object_policy import Key


class BlindOracle(Advised):
    """The leaf that is predicted to be requested last. [Lykouris2018]_ [Wei2020]_

    Belady's rule, with predictions in the place of the future: with perfect ones it misses what OPT misses.
    Each eviction that Belady would not have made from the same cache costs at most one miss more, and
    nothing bounds how many there are: where predictions may be anything, the competitive ratio is infinite.
    The proofs are in :doc:`/theory/advice`. Here predictions are learned from the policy's own past
    (:class:`kvtheory.advice.learned.PastWaits`); :func:`kvtheory.advice.advised.advised` puts others in
    their place.

    *From flat caches to trees.* A node's next use is the next request whose path holds it, and only leaves
    go. Of leaves predicted for the same request the one that became a leaf first goes. New is what happens
    when the predicted request has passed without the node: it is expected after as long again as it has
    waited. The flat rule would keep it for ever. Perfect predictions never get there.
    """

    name = "blind_oracle"
    source = "Lykouris2018 Wei2020"

    def on_leaf(self, v: Key) -> None:
        self.expected.offer(v)

    def victim(self, leaves: Collection[Key]) -> Key | None:
        return self.expected.last(leaves)
