"""Document question answering with skew: some documents are asked about far more than others."""

from __future__ import annotations

import numpy as np

from adversaries.chains import poisson_arrivals, require_positive
from adversaries.contexts import Requests, join, trace_of
from adversaries.draws import (
    LARGEST_EXPONENT,
    LARGEST_SPREAD,
    elapsed,
    geometric,
    lengths,
    ragged,
    require_range,
    require_whole,
    written,
    zipf_ranks,
)
from kvtheory.model import Trace


def documents(
    *,
    visits: int = 2000,
    documents: int = 512,
    tokens: int = 2048,
    spread: float = 0.5,
    exponent: float = 1.0,
    questions: float = 4.0,
    question: int = 32,
    pool: int = 0,
    system: int = 0,
    answer: int = 32,
    rate: float = 0.2,
    think: float = 20.0,
    speed: float = 50.0,
    block: int = 16,
    seed: int = 0,
) -> Trace:
    """Readers come at random, each to a document drawn by a Zipf law, and ask several questions. [Shen2026]_

    A prompt is the system prompt, the document and one question; earlier questions are not part of it.

    Args:
        visits: readers.
        documents: how many documents.
        tokens: mean tokens of a document (log-normal, rounded, at least 1).
        spread: standard deviation of the logarithm of document, question and answer lengths; 0 makes them
            constant.
        exponent: of the Zipf law; 0 is uniform.
        questions: mean questions of a visit (geometric).
        question: mean tokens of a question.
        pool: different questions of each document, drawn uniformly; 0 makes every question a new one.
        system: tokens of the system prompt before every document.
        answer: mean tokens of an answer.
        rate: visits a second (Poisson).
        think: mean seconds between an answer's end and the next question (exponential).
        speed: tokens of an answer generated a second.
        block: tokens in a block.
        seed: of numpy's default generator.
    """
    source = written("documents", locals())
    require_whole(1, visits=visits, documents=documents, tokens=tokens, question=question)
    require_whole(1, answer=answer, block=block)
    require_whole(0, pool=pool, system=system, seed=seed)
    require_positive(rate=rate, speed=speed)
    require_range(1, 1e9, questions=questions)
    require_range(0, 1e9, think=think)
    require_range(0, LARGEST_SPREAD, spread=spread)
    require_range(0, LARGEST_EXPONENT, exponent=exponent)
    rng = np.random.default_rng(seed)
    start = poisson_arrivals(rng, visits, rate)
    chosen = zipf_ranks(rng, documents, exponent, visits)
    owner, turn = ragged(geometric(rng, questions, visits))
    sizes = lengths(rng, tokens, spread, documents)
    about = chosen[owner]
    asked = np.arange(owner.size)
    if pool:
        keys, asked = np.unique(about * pool + rng.integers(pool, size=owner.size), return_inverse=True)
        above = keys // pool
    else:
        above = about
    asking = lengths(rng, question, spread, above.size)
    answered = lengths(rng, answer, spread, owner.size)
    pause = answered / speed + rng.exponential(think, owner.size)
    requests = Requests(
        context=documents + 2 + asked,
        time=start[owner] + elapsed(pause, turn),
        output=answered,
        before=np.where(turn == 0, -1, np.arange(owner.size) - 1),
        turn=turn + 1,
        kind=np.zeros(owner.size, dtype=np.int64),
    )
    forest = join((0, [system]), (1, sizes), (above + 2, asking))
    return trace_of(forest, requests, block=block, kinds=("file",), source=source)
