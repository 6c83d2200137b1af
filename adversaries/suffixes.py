"""One long system prompt and suffixes in a cycle, one more of them than fits.

Between two requests for a suffix all others are requested. A cache that holds all but g nodes of prefix and
suffixes has lost, under leaf-LRU, the last g nodes of the suffix that comes next. OPT keeps all other
suffixes whole and pays g once in m - 1 requests. Under RLT the g holes are symmetric among the suffixes that
were not yet requested in the phase.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from adversaries.chains import ChainTree, require_positive
from adversaries.forces import Forced, Forces
from adversaries.widest import LRU_LIKE, MARKING
from kvtheory.errors import InputError
from kvtheory.model import PrefixTree, Trace
from kvtheory.width import harmonic


def suffixes(*, k: int = 100, prefix: int = 60, blocks: int = 4, requests: int = 1000) -> Trace:
    """Prompts that share a deep prefix, in a cycle; as many as just do not fit. [Sleator1985]_

    Of m = floor((k - prefix) / blocks) + 1 prompts m - 1 fit: leaf-LRU is forced to m - 1 and RLT to
    H_(m-1), however long prefix and suffixes are.

    Args:
        k: the capacity it is aimed at; at least prefix + blocks.
        prefix: nodes that all prompts share.
        blocks: nodes of each suffix.
        requests: how many.
    """
    require_positive(k=k, blocks=blocks, requests=requests)
    if not 0 <= prefix <= k - blocks:
        raise InputError(f"{prefix} shared nodes and {blocks} more do not fit into {k}", field="prefix")
    tree = ChainTree()
    hub = tree.add(0, [prefix])[0]
    tips = tree.add(hub, np.full(prompts(k, prefix, blocks), blocks))
    chosen = tips[np.arange(requests) % tips.size].astype(np.int32)
    spec = f"suffixes:{k=},{prefix=},{blocks=},{requests=}"
    return Trace(PrefixTree(tree.parents()), chosen, source=spec)


def prompts(k: int, prefix: int, blocks: int) -> int:
    """The least number of suffixes that do not all fit."""
    return (k - prefix) // blocks + 1


def _lru(k: int, prefix: int, blocks: int, requests: int) -> Forced:
    m = prompts(k, prefix, blocks)
    nodes, later = prefix + m * blocks, requests - m
    g = nodes - k
    misses, opt = Fraction(nodes + g * later), Fraction(nodes + g * (later // (m - 1)))
    return Forced(k, misses, opt, Fraction(m - 1))


def _marking(k: int, prefix: int, blocks: int, requests: int) -> Forced:
    m = prompts(k, prefix, blocks)
    nodes = prefix + m * blocks
    g = nodes - k
    phases, rest = divmod(requests - m, m - 1)
    begun = harmonic(m - 1) - harmonic(m - 1 - rest)
    misses = nodes + g * (phases * harmonic(m - 1) + begun)
    return Forced(k, misses, Fraction(nodes + g * phases), harmonic(m - 1))


LONG = (
    {"k": 20, "prefix": 11, "blocks": 2, "requests": 400},
    {"k": 9, "prefix": 0, "blocks": 3, "requests": 60},
    {"k": 10, "prefix": 1, "blocks": 4, "requests": 61},
    {"k": 7, "prefix": 6, "blocks": 1, "requests": 20},
)
SHORT = (
    {"k": 6, "prefix": 1, "blocks": 2, "requests": 12},
    {"k": 7, "prefix": 0, "blocks": 2, "requests": 13},
    {"k": 8, "prefix": 2, "blocks": 3, "requests": 10},
)

FORCES = (
    Forces(suffixes, LRU_LIKE, "m - 1", "Sleator1985", _lru, LONG),
    Forces(suffixes, MARKING, "H_(m-1)", "Fiat1991", _marking, SHORT),
)
