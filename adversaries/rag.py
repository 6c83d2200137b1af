"""Retrieval-augmented generation: a system prompt, retrieved chunks in some order, a question."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from adversaries.chains import poisson_arrivals, require_positive
from adversaries.contexts import Requests, join, trace_of
from adversaries.draws import (
    LARGEST_EXPONENT,
    LARGEST_SPREAD,
    Ints,
    lengths,
    require_range,
    require_whole,
    written,
    zipf_sets,
)
from kvtheory.errors import InputError
from kvtheory.model import Trace


def rag(
    *,
    requests: int = 5000,
    chunks: int = 2000,
    retrieved: int = 4,
    order: Literal["relevance", "popularity", "random"] = "relevance",
    exponent: float = 1.0,
    tokens: int = 256,
    system: int = 256,
    question: int = 32,
    answer: int = 128,
    spread: float = 0.5,
    rate: float = 2.0,
    block: int = 16,
    seed: int = 0,
) -> Trace:
    """Prompts of a system prompt, a few retrieved chunks and a new question. [Jin2024]_

    A chunk is reusable only behind the same chunks in the same order: the order decides how much is shared.

    Args:
        requests: how many.
        chunks: chunks in the corpus.
        retrieved: different chunks in a prompt, each drawn by a Zipf law among those not drawn yet.
        order: `relevance` keeps the order of the draws, `popularity` sorts by rank, `random` permutes.
        exponent: of the Zipf law; 0 is uniform.
        tokens: mean tokens of a chunk (log-normal, rounded, at least 1).
        system: tokens of the system prompt.
        question: mean tokens of a question; 0 for none.
        answer: mean tokens of an answer.
        spread: standard deviation of the logarithm of the lengths; 0 makes them constant.
        rate: Poisson arrivals, requests a second.
        block: tokens in a block.
        seed: of numpy's default generator.
    """
    source = written("rag", locals())
    require_whole(1, requests=requests, chunks=chunks, retrieved=retrieved, tokens=tokens)
    require_whole(1, answer=answer, block=block)
    require_whole(0, system=system, question=question, seed=seed)
    require_positive(rate=rate)
    require_range(0, LARGEST_SPREAD, spread=spread)
    require_range(0, LARGEST_EXPONENT, exponent=exponent)
    if retrieved > chunks:
        raise InputError(f"{retrieved} different chunks of {chunks}", field="retrieved")
    rng = np.random.default_rng(seed)
    time = poisson_arrivals(rng, requests, rate)
    picked = zipf_sets(rng, chunks, exponent, requests, retrieved)
    if order == "popularity":
        picked.sort(axis=1)
    elif order == "random":
        picked = rng.permuted(picked, axis=1)
    sizes = lengths(rng, tokens, spread, chunks)
    above, content, tip = _trie(picked, chunks)
    parts: list[tuple[npt.ArrayLike, npt.ArrayLike]] = [(0, [system]), (above + 1, sizes[content])]
    context = tip + 1
    if question:
        parts.append((context, lengths(rng, question, spread, requests)))
        context = above.size + 2 + np.arange(requests)
    served = Requests(
        context=context,
        time=time,
        output=lengths(rng, answer, spread, requests),
        before=np.full(requests, -1, dtype=np.int64),
        turn=np.ones(requests, dtype=np.int64),
        kind=np.zeros(requests, dtype=np.int64),
    )
    return trace_of(join(*parts), served, block=block, kinds=("search",), source=source)


def _trie(rows: Ints, letters: int) -> tuple[Ints, Ints, Ints]:
    """The trie of equally long words, numbered from 1 level by level; 0 is the empty word.

    Args:
        rows: int64, shape (N, length): the words, letters 0..letters-1.
        letters: how many letters there are.

    Returns:
        For each number 1, 2, ... the number above it and its last letter; then the number of each word.
    """
    above, content = [], []
    tip = np.zeros(rows.shape[0], dtype=np.int64)
    count = 0
    for column in rows.T:
        keys, at = np.unique(tip * letters + column, return_inverse=True)
        above.append(keys // letters)
        content.append(keys % letters)
        tip = count + 1 + at
        count += keys.size
    return np.concatenate(above), np.concatenate(content), tip
