"""Drifting popularity against a list that is changed move by move."""

import numpy as np
import pytest
from plain_prompts import assert_same_tree

from adversaries.draws import zipf_ranks
from adversaries.drift import drift


@pytest.mark.parametrize("move", ["rotate", "swap", "renew"])
@pytest.mark.parametrize("period", [1, 3, 50, 1000])
@pytest.mark.parametrize("documents", [1, 2, 12])
def test_ranks_are_those_of_a_list_changed_move_by_move(move, period, documents):
    requests = 200
    trace = drift(
        documents=documents, blocks=2, shared=3, requests=requests, move=move, period=period, block=4, seed=7
    )  # fmt: skip
    rng = np.random.default_rng(7)
    ranks = zipf_ranks(rng, documents, 1.0, requests).tolist()
    moves = (requests - 1) // period
    if move == "swap":
        pairs = rng.integers(documents, size=(moves, 2)).tolist()
    if move == "renew":
        places = rng.integers(documents, size=moves).tolist()
    holder, born, prompts = list(range(documents)), documents, []
    for r, rank in enumerate(ranks):
        if r and r % period == 0:
            at = r // period - 1
            if move == "rotate":
                holder.insert(0, holder.pop())
            elif move == "swap":
                a, b = pairs[at]
                holder[a], holder[b] = holder[b], holder[a]
            else:
                holder[places[at]] = born
                born += 1
        prompts.append((*(("shared", i) for i in range(12)), *((holder[rank], i) for i in range(8))))
    assert_same_tree(trace.tree, trace.requests, prompts, 4)


def overlap(trace, top=10):
    """How many of the most popular of the first fifth are among those of the last."""
    fifth = len(trace) // 5
    parts = (trace.requests[:fifth], trace.requests[-fifth:])
    best = [
        set(np.argsort(-np.bincount(part, minlength=trace.tree.n + 1), kind="stable")[:top]) for part in parts
    ]
    return len(best[0] & best[1])


@pytest.mark.parametrize("move", ["rotate", "swap", "renew"])
def test_what_was_popular_stays_so_only_without_moves(move):
    still = drift(documents=300, requests=50_000, move=move, period=50_000, seed=1)
    moved = drift(documents=300, requests=50_000, move=move, period=20, seed=1)
    assert overlap(still) >= 9
    assert overlap(moved) <= 2
