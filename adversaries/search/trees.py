"""A search over trees as well: `any:N` stands for every forest of N nodes below the free root."""

from __future__ import annotations

import random
from collections.abc import Callable

from adversaries.search.run import EVALUATIONS, Found, search
from kvtheory.errors import InputError
from kvtheory.model import PrefixTree
from kvtheory.policy import Policy
from kvtheory.ratio.atlas_forests import forests
from kvtheory.ratio.instance import Instance

ANY = "any:"


def search_trees(
    nodes: int,
    capacity: int,
    policy: type[Policy],
    method: str = "hill",
    *,
    length: int = 1000,
    evaluations: int = EVALUATIONS,
    seed: int = 0,
    progress: Callable[[str], None] = lambda stage: None,
) -> Found:
    """The worst file over all forests of `nodes` nodes, by successive halving. [Karnin2013]_

    Every forest gets a small share of the evaluations, the better half of them the same again with another
    seed, and so on to the last; the best file of all is returned, with all the evaluations that were spent.

    Args:
        nodes: 1 to 10.
        capacity: nodes the cache holds.
        policy: what is attacked.
        method: as the next three, as for :func:`search`.
        length: requests of the file.
        evaluations: of all trees together.
        seed: of the first round; each round has its own.
        progress: told how many trees are left.

    Raises:
        InputError: as :func:`search`, or if there are fewer evaluations than the trees need.
    """
    alive = [Instance.of(PrefixTree.from_parents(parents), capacity) for parents in forests(nodes)]
    rounds = max(1, (len(alive) - 1).bit_length())
    if evaluations < rounds * len(alive):
        raise InputError(f"{len(alive)} trees need {rounds * len(alive)} or more", field="evaluations")
    best: Found | None = None
    spent = steps = 0
    ties = random.Random(seed)
    for turn in range(rounds):
        progress(f"{len(alive)} trees")
        share = evaluations // rounds // len(alive)
        ranked = []
        for i, instance in enumerate(alive):
            found = search(instance, policy, method, length=length, evaluations=share, seed=seed + turn)
            spent, steps = spent + found.evaluations, steps + found.steps
            ranked.append((-found.exact.ratio, ties.random(), i))
            if best is None or found.exact.ratio > best.exact.ratio:
                best = found
        alive = [alive[i] for *_, i in sorted(ranked)[: max(1, len(alive) // 2)]]
    assert best is not None
    return best.spread(spent, steps)
