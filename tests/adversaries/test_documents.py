"""Document question answering: prompts, skew, questions of a visit."""

import numpy as np
import pytest
from plain_prompts import assert_same_tree, chi_square

from adversaries.documents import documents


@pytest.mark.parametrize("block", [1, 16])
@pytest.mark.parametrize("pool", [0, 2])
@pytest.mark.parametrize("system", [0, 40])
def test_a_prompt_is_the_system_prompt_a_document_and_one_question(block, pool, system):
    trace = documents(
        visits=40, documents=5, tokens=50, question=7, spread=0, pool=pool, system=system, block=block, seed=1
    )  # fmt: skip
    prompts = []
    for r, v in enumerate(trace.requests.tolist()):
        document = trace.tree.path(v)[system // block]
        question = v if pool else f"new {r}"
        begin = [("system", i) for i in range(system)] + [(document, i) for i in range(50)]
        prompts.append((*begin, *((question, i) for i in range(7))))
    assert_same_tree(trace.tree, trace.requests, prompts, block)
    asked = {prompt[-1][0] for prompt in prompts}
    assert len(asked) <= 5 * pool if pool else len(asked) == len(trace)
    assert len({prompt[system][0] for prompt in prompts}) == 5


def test_visits_follow_one_another_in_time():
    trace = documents(visits=200, think=5, speed=10, seed=2)
    columns = trace.columns
    assert (np.diff(columns["timestamp"]) >= 0).all()
    for r, parent in enumerate(columns["parent_chat_id"].tolist()):
        if parent < 0:
            assert columns["turn"][r] == 1
            continue
        assert columns["turn"][r] == columns["turn"][parent] + 1
        assert columns["timestamp"][r] > columns["timestamp"][parent] + columns["output_length"][parent] / 10
        ours, theirs = (trace.tree.path(int(trace.requests[i])) for i in (r, parent))
        assert ours[0] == theirs[0]  # the same document
    assert (columns["turn"] == 1).sum() == 200


def test_documents_are_skewed_and_questions_have_their_mean():
    visits, many = 30_000, 20
    trace = documents(
        visits=visits, documents=many, tokens=8, question=1, spread=0, exponent=0.8, questions=3,
        block=8, seed=5,
    )  # fmt: skip
    assert abs(len(trace) / visits - 3) < 4 * 6**0.5 / visits**0.5
    first = trace.tree.parent[trace.requests]  # one block of document, then one of question
    counts = np.bincount(first[trace.columns["turn"] == 1])[1 : many + 1]
    weight = np.arange(1, many + 1) ** -0.8
    assert chi_square(counts, visits * weight / weight.sum()) < 43.8  # 99.9 %, 19 degrees of freedom


def test_questions_of_a_pool_are_uniform_and_reuse_whole_prompts():
    fresh = documents(visits=3000, documents=4, pool=0, seed=3)
    pooled = documents(visits=3000, documents=4, exponent=0, pool=5, seed=3)
    counts = np.unique(pooled.requests, return_counts=True)[1]
    assert counts.size == 20
    assert np.unique(fresh.requests).size == len(fresh)
    within = counts.reshape(4, 5)
    assert sum(chi_square(row, np.full(5, row.sum() / 5)) for row in within) < 39.3  # 99.9 %, 16 degrees
