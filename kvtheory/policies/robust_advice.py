"""Robust advice: predictions as long as they pay, and RLT when they do not."""

from __future__ import annotations

from kvtheory.hedge import Hedge
from kvtheory.marks import RandomUnmarkedLeaf
from kvtheory.policies.blind_oracle import BlindOracle
from kvtheory.policy import Claim


class RobustAdvice(Hedge):
    """Blind oracle until it has lost two capacities to RLT, then RLT until even. [Wei2020]_ [Fiat1991]_

    With perfect predictions it never turns, and misses what OPT misses; neither does it turn while fewer of
    the oracle's evictions were wrong than the cache has nodes. For every outcome of its draws it misses at
    most 3 times as much as RLT and 4 capacities more: at most `12 H_w + 4` times OPT in expectation,
    whatever is predicted. See :doc:`/theory/advice`, and :doc:`/theory/hedge` for the combination.

    *From flat caches to trees.* RLT in the place of flat marking, and nodes that hold keys and no data to
    know what each of the two would have missed.
    """

    name = "robust_advice"
    source = "Wei2020 Fiat1991 Wu2026"
    claims = (Claim("12 H_w + 4", lambda w: 12 * w.harmonic_w() + 4),)
    draws = True
    leader = BlindOracle
    fallback = RandomUnmarkedLeaf
