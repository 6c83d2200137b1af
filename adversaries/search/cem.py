"""The cross-entropy method over Markov chains of requests. [Rubinstein1999]_

A chain draws a cycle: from START through requests to END, each drawn by the one before. The best tenth of a
generation pulls the chain towards itself; one that has gone stiff starts again, all requests equally likely.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from adversaries.search.candidate import Hunt

GENERATION, ELITE = 100, 10
KEPT, FLOOR = 0.7, 0.02
LONGEST, PATIENCE = 400, 30


def cross_entropy(hunt: Hunt, seed: int) -> None:
    """Spend the whole budget; ends with :class:`BudgetSpent`.

    Args:
        hunt: what is searched.
        seed: of every draw.
    """
    rng = np.random.default_rng(seed)
    while True:
        _one_chain(hunt, rng)


def _one_chain(hunt: Hunt, rng: np.random.Generator) -> None:
    requests = hunt.judge.requests
    chain = _uniform(requests)
    best, idle = 0.0, 0
    while idle < PATIENCE:
        cycles = [draw_cycle(chain, rng) for _ in range(GENERATION)]
        ratios = [hunt.score((), cycle) for cycle in cycles]
        elite = sorted(range(GENERATION), key=lambda i: (-ratios[i], len(cycles[i])))[:ELITE]
        counts = np.zeros_like(chain)
        for i in elite:
            walk = [requests, *cycles[i], requests]
            np.add.at(counts, (walk[:-1], walk[1:]), 1 / len(walk))
        seen = counts.sum(axis=1, keepdims=True)
        drawn = np.where(seen > 0, counts / np.maximum(seen, 1e-300), chain)
        chain = KEPT * chain + (1 - KEPT) * drawn
        chain = (1 - FLOOR) * chain + FLOOR * _uniform(requests)
        risen = ratios[elite[0]] > best + 1e-9
        best, idle = max(best, ratios[elite[0]]), 0 if risen else idle + 1


def _uniform(requests: int) -> Any:
    """Row and column `requests` stand for START and END; cycles of 2R requests on average."""
    chain = np.full((requests + 1, requests + 1), (1 - 1 / (2 * requests)) / requests)
    chain[:, requests] = 1 / (2 * requests)
    chain[requests] = 1 / requests
    chain[requests, requests] = 0.0
    return chain


def draw_cycle(chain: Any, rng: np.random.Generator) -> list[int]:
    """One cycle, at most 400 requests, at least one.

    Args:
        chain: transition probabilities, shape (R+1, R+1); row R is START, column R is END.
        rng: the generator.
    """
    end = chain.shape[0] - 1
    below = np.cumsum(chain, axis=1)
    cycle: list[int] = []
    at = end
    for u in rng.random(LONGEST).tolist():
        at = min(int(np.searchsorted(below[at], u * below[at, -1], side="right")), end)
        if at == end:
            break
        cycle.append(at)
    return cycle or [0]
