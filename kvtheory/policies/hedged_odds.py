"""Hedged odds: return odds, with leaf-LRU to fall back on."""

from __future__ import annotations

from kvtheory.hedge import Hedge
from kvtheory.policies.return_odds import ReturnOdds


class HedgedOdds(Hedge):
    """Return odds while they lose less than two capacities to leaf-LRU, else leaf-LRU. [Fiat1991]_ [Wei2020]_

    What was learned decides as long as it pays, and the worst case is within a constant of the best that a
    deterministic policy can promise; the proof is in :doc:`/theory/hedge`. Where it has never switched, it
    evicts what `return_odds` evicts.
    """

    name = "hedged_odds"
    source = "Fiat1991 Wei2020"
    leader = ReturnOdds
