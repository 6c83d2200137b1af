"""Random phases with a chosen number of clean and of stale documents.

A phase asks for `clean` documents that the phase before did not ask for, and for `stale` that it did, each
once; the capacity that it is aimed at is their sum. The clean ones come first, which is worst for random
marking: each takes a place from a random document of the phase before, and the j-th stale one is missed with
probability clean / (places - j + 1).
"""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

import numpy as np

from adversaries.chains import ChainTree, require_positive
from adversaries.draws import require_listable, require_whole
from adversaries.forces import Forced, Forces
from adversaries.widest import MARKING
from kvtheory.errors import InputError
from kvtheory.model import PrefixTree, Trace
from kvtheory.width import harmonic


def phases(
    *,
    clean: int = 2,
    stale: int = 6,
    spare: int = 4,
    prefix: int = 0,
    order: Literal["clean_first", "shuffled"] = "clean_first",
    count: int = 100,
    seed: int = 0,
) -> Trace:
    """Phases of c clean and s stale documents, drawn uniformly; k = prefix + c + s. [Fiat1991]_

    With the clean ones first RLT pays c (1 + H_(c+s) - H_c) a phase and OPT no more than c, on every trace.

    Args:
        clean: documents of a phase that were not in the phase before.
        stale: documents of a phase that were.
        spare: documents beyond the stale + 2 clean that two phases need; with more of them a clean document
            is more often one that OPT lacks too.
        prefix: nodes that all documents share.
        order: of a phase; `shuffled` begins with a clean document and mixes the others.
        count: phases.
        seed: of numpy's default generator.
    """
    require_positive(clean=clean, count=count)
    for field, value in (("stale", stale), ("spare", spare), ("prefix", prefix)):
        if value < 0:
            raise InputError("must not be negative", field=field)
    tree = ChainTree()
    hub = tree.add(0, [prefix])[0]
    documents = tree.add(hub, np.ones(stale + 2 * clean + spare))
    require_whole(0, seed=seed)
    require_listable(count=count, documents=clean + stale)
    rng = np.random.default_rng(seed)
    inside = np.arange(documents.size) < clean + stale
    asked = [rng.permutation(np.flatnonzero(inside))]
    for _ in range(count - 1):
        fresh = rng.choice(np.flatnonzero(~inside), clean, replace=False)
        rest = rng.choice(np.flatnonzero(inside), stale, replace=False)
        if order == "shuffled":
            mixed = rng.permutation(np.concatenate([fresh[1:], rest]))
            asked.append(np.concatenate([fresh[:1], mixed]))
        else:
            asked.append(np.concatenate([fresh, rest]))
        inside[:] = False
        inside[asked[-1]] = True
    source = f"phases:{clean=},{stale=},{spare=},{prefix=},{order=!s},{count=},{seed=}"
    return Trace(PrefixTree(tree.parents()), documents[np.concatenate(asked)].astype(np.int32), source=source)


def _marking(clean: int, stale: int, prefix: int, count: int) -> Forced:
    places = clean + stale
    each = clean * (1 + harmonic(places) - harmonic(clean))
    loaded = prefix + places
    opt = Fraction(loaded + (count - 1) * clean)
    return Forced(loaded, loaded + (count - 1) * each, opt, each / clean)


CASES = (
    {"clean": 2, "stale": 3, "spare": 2, "count": 9},
    {"clean": 1, "stale": 3, "spare": 0, "count": 12},
    {"clean": 3, "stale": 2, "spare": 1, "prefix": 2, "count": 4, "seed": 5},
    {"clean": 2, "stale": 0, "spare": 0, "count": 6, "seed": 1},
)

FORCES = (
    Forces(
        phases,
        MARKING,
        "1 + H_(c+s) - H_c",
        "Fiat1991",
        _marking,
        CASES,
        opt_is="<=",
        limit_is=">=",
        longer="count",
    ),
)
