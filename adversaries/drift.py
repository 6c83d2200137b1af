"""Drifting popularity: a Zipf law whose ranks change hands over time."""

from __future__ import annotations

from typing import Literal

import numpy as np

from adversaries.contexts import join, tree_of
from adversaries.draws import LARGEST_EXPONENT, Ints, require_range, require_whole, written, zipf_ranks
from kvtheory.model import Trace


def drift(
    *,
    documents: int = 1000,
    blocks: int = 8,
    shared: int = 2,
    exponent: float = 1.0,
    requests: int = 10_000,
    move: Literal["rotate", "swap", "renew"] = "swap",
    period: int = 10,
    block: int = 1,
    seed: int = 0,
) -> Trace:
    """Zipf requests for documents whose ranks move: what was popular is not for ever.

    At first document i has rank i. After every `period` requests one move is made:

    - `rotate`: every document falls by one rank, and the last becomes the first.
    - `swap`: the holders of two ranks, drawn uniformly, change places.
    - `renew`: the holder of a rank, drawn uniformly, gives way to a document never seen before.

    Args:
        documents: ranks.
        blocks: blocks of each document, below the shared prefix.
        shared: blocks of the system prompt that all documents share.
        exponent: 0 is uniform; larger is more skewed.
        requests: how many.
        move: how the ranks change.
        period: requests between two moves.
        block: tokens in a block.
        seed: of numpy's default generator.
    """
    source = written("drift", locals())
    require_whole(1, documents=documents, blocks=blocks, requests=requests, period=period, block=block)
    require_whole(0, shared=shared, seed=seed)
    require_range(0, LARGEST_EXPONENT, exponent=exponent)
    rng = np.random.default_rng(seed)
    rank = zipf_ranks(rng, documents, exponent, requests)
    epoch = np.arange(requests) // period
    moves = int(epoch[-1])
    if move == "rotate":
        chosen = (rank - epoch) % documents
    elif move == "swap":
        pairs = rng.integers(documents, size=(moves, 2))
        chosen = _holders(rank, epoch, *_swaps(pairs))
    else:
        places = rng.integers(documents, size=moves)
        chosen = _holders(rank, epoch, places, np.arange(moves) + 1, documents + np.arange(moves))
    known = int(chosen.max()) + 1
    forest = join((0, [shared * block]), (1, np.full(known, blocks * block)))
    tree, served = tree_of(forest, chosen + 2, block)
    return Trace(tree, served, block_tokens=block, source=source)


def _swaps(pairs: Ints) -> tuple[Ints, Ints, Ints]:
    """Ranks, epochs and new holders of the changes that swapping these ranks one pair an epoch makes."""
    holder: dict[int, int] = {}
    documents = []
    for a, b in pairs.tolist():
        first, second = holder.get(a, a), holder.get(b, b)
        holder[a], holder[b] = second, first
        documents += [holder[a], holder[b]]
    return pairs.reshape(-1), np.repeat(np.arange(pairs.shape[0]) + 1, 2), np.array(documents, dtype=np.int64)


def _holders(rank: Ints, epoch: Ints, places: Ints, since: Ints, documents: Ints) -> Ints:
    """The document at each rank in each epoch; a rank without a change keeps the document of its number.

    Args:
        rank: int64, shape (N,): the ranks asked for.
        epoch: int64, shape (N,): when.
        places: int64, shape (M,): the rank of each change.
        since: int64, shape (M,): its epoch, from 1; ascending.
        documents: int64, shape (M,): who holds the rank from then on.
    """
    if not places.size:
        return rank
    span = int(epoch[-1]) + 1
    keys = places * span + since
    order = np.argsort(keys, kind="stable")
    at = np.searchsorted(keys[order], rank * span + epoch, side="right") - 1
    latest = order[at]
    return np.where((at >= 0) & (places[latest] == rank), documents[latest], rank)
