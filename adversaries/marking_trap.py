"""Two new documents in every phase, of which OPT pays for one: the most that random marking can cost.

m + 2 documents, m places. A phase asks for m of them: first the two that the phase before left out, then
m - 2 others. OPT enters a phase with the first of the two already in its cache; it loads the second and gives
up the first, for which the next phase will not ask. So it always pays 1. A marking policy pays 2, and the two
places that it takes at random are missed with probability 2/m, 2/(m-1), ..., 2/3.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from adversaries.chains import ChainTree
from adversaries.forces import Forced, Forces
from adversaries.lfu_trap import stale_places
from adversaries.widest import MARKING
from kvtheory.errors import InputError
from kvtheory.model import PrefixTree, Trace
from kvtheory.width import harmonic


def marking_trap(*, k: int = 8, prefix: int = 0, phases: int = 100) -> Trace:
    """Phases of m = k - prefix documents out of m + 2 that force 2 H_m - 1 on RLT. [Achlioptas2000]_

    Args:
        k: the capacity it is aimed at; at least prefix + 2.
        prefix: nodes that all documents share.
        phases: how many, of m requests each; at least 2.
    """
    if phases < 2:
        raise InputError(f"{phases} phases: the first only fills the cache", field="phases")
    m = stale_places(k, prefix)
    tree = ChainTree()
    hub = tree.add(0, [prefix])[0]
    leaves = tree.add(hub, np.ones(m + 2)).tolist()
    phase, left_out = leaves[:m], leaves[m:]
    asked = list(phase)
    for _ in range(phases - 1):
        # OPT has the last of the phase before last, and gave up its first
        kept = [v for v in phase if v not in (phase[0], phase[-1])]
        phase, left_out = [*left_out, *kept], [phase[-1], phase[0]]
        asked += phase
    source = f"marking_trap:{k=},{prefix=},{phases=}"
    return Trace(PrefixTree(tree.parents()), np.array(asked, dtype=np.int32), source=source)


def _count(k: int, prefix: int, phases: int) -> Forced:
    m = k - prefix
    each = 2 * harmonic(m) - 1
    return Forced(k, k + (phases - 1) * each, Fraction(k + phases), each)


CASES = (
    {"k": 4, "phases": 12},
    {"k": 2, "phases": 20},
    {"k": 3, "phases": 2},
    {"k": 5, "prefix": 2, "phases": 9},
)

FORCES = (Forces(marking_trap, MARKING, "2 H_m - 1", "Achlioptas2000", _count, CASES, longer="phases"),)
