"""Retrieval: prompts of chunks in an order, and what the order costs."""

import numpy as np
import pytest
from plain_prompts import assert_same_tree

from adversaries.draws import zipf_sets
from adversaries.rag import rag


@pytest.mark.parametrize("order", ["relevance", "popularity", "random"])
@pytest.mark.parametrize(("system", "question", "block"), [(0, 5, 1), (30, 5, 16), (16, 0, 16), (0, 0, 7)])
def test_a_prompt_is_the_system_prompt_its_chunks_in_order_and_a_question(order, system, question, block):
    """The same draws, put together in plain Python."""
    count, chunks, members = 120, 9, 3
    trace = rag(
        requests=count, chunks=chunks, retrieved=members, order=order, tokens=21, system=system,
        question=question, spread=0, rate=3, block=block, seed=4,
    )  # fmt: skip
    rng = np.random.default_rng(4)
    times = np.cumsum(rng.exponential(1 / 3, count))
    rows = zipf_sets(rng, chunks, 1.0, count, members)
    if order == "popularity":
        rows = np.array([sorted(row) for row in rows.tolist()])
    if order == "random":
        rows = rng.permuted(rows, axis=1)
    prompts = []
    for r, row in enumerate(rows.tolist()):
        prompt = [("system", i) for i in range(system)]
        for chunk in row:
            prompt += [(chunk, i) for i in range(21)]
        prompts.append(tuple(prompt + [("question", r, i) for i in range(question)]))
    assert_same_tree(trace.tree, trace.requests, prompts, block)
    assert np.array_equal(trace.columns["timestamp"], times)


def test_the_order_decides_how_much_is_shared():
    """Sorted chunks share most; the sets are the same, so are the accesses.

    That popular chunks tend to be drawn first helps little: the order of the draws shares hardly more than a
    random one.
    """
    made = [rag(requests=4000, order=order, spread=0) for order in ("popularity", "relevance", "random")]
    assert len({trace.accesses for trace in made}) == 1
    best, drawn, worst = (trace.tree.n for trace in made)
    assert best < 0.8 * drawn
    assert 0.98 * worst < drawn < worst


def test_the_first_chunk_has_the_zipf_slope_and_a_permuted_one_a_flatter_one():
    slope = {}
    for order in ("relevance", "random"):
        trace = rag(requests=100_000, chunks=500, retrieved=5, order=order, tokens=1, spread=0, system=0,
                    question=0, block=1, exponent=1.2, seed=9)  # fmt: skip
        node = trace.requests
        while (deep := trace.tree.depth[node] > 1).any():
            node = np.where(deep, trace.tree.parent[node], node)
        counts = np.sort(np.bincount(node))[::-1][:20]
        slope[order] = np.polyfit(np.log(np.arange(1, 21)), np.log(counts), 1)[0]
    assert abs(slope["relevance"] + 1.2) < 0.04
    assert slope["random"] > slope["relevance"] + 0.1
