"""Traces as prompts, and plans that cannot be carried out."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from profiles import examples

from gpu_validation.prompts import FIRST_TOKEN, Prompts, shorten
from gpu_validation.shapes import model_folder
from gpu_validation.study import Plan, rounds
from kvtheory.engine.reference import ReferenceEngine
from kvtheory.errors import InputError
from kvtheory.model import PrefixTree, Trace
from kvtheory.registry import policies
from kvtheory.testing.strategies import traces


@settings(max_examples=examples(80), deadline=None)
@given(case=traces(max_nodes=20, max_requests=5), vocabulary=st.integers(8, 40), block=st.integers(6, 9))
def test_nodes_are_blocks(case: tuple[Trace, int], vocabulary: int, block: int) -> None:
    """Two prompts share as many blocks as their paths share nodes, and no two nodes are the same block.

    A vocabulary of 5 to 37 tokens: nodes need two tokens each to be told apart.
    """
    tree = case[0].tree
    assume(tree.n < (vocabulary - FIRST_TOKEN) ** 2)
    prompts = Prompts(block, vocabulary)
    blocks: dict[int, tuple[int, ...]] = {}
    for v in range(1, tree.n + 1):
        tokens, path = prompts.tokens(tree, v, request=v), [int(u) for u in tree.path(v)]
        assert len(tokens) == block * len(path) + prompts.rest
        assert FIRST_TOKEN <= min(tokens) <= max(tokens) < vocabulary
        for i, u in enumerate(path):
            found = tuple(tokens[i * block : (i + 1) * block])
            assert blocks.setdefault(u, found) == found
    assert len(set(blocks.values())) == tree.n


def test_a_tree_of_more_nodes_than_tokens() -> None:
    tree = PrefixTree(np.array([-1] + [0] * 3000, np.int32))
    prompts = Prompts(16, 512)
    assert len({tuple(prompts.tokens(tree, v)[:16]) for v in range(1, 3001)}) == 3000


@pytest.mark.parametrize("rest", [0, 16, -1])
def test_a_last_block_must_be_partial(rest: int) -> None:
    with pytest.raises(InputError, match="rest"):
        Prompts(16, 512, rest)


@settings(max_examples=examples(80), deadline=None)
@given(
    case=traces(max_nodes=14, max_requests=40),
    requests=st.integers(1, 30),
    name=st.sampled_from(["lru", "fifo"]),
)
def test_a_shortened_trace_is_its_beginning(case: tuple[Trace, int], requests: int, name: str) -> None:
    """Depth for depth, and hit for hit: the nodes that are gone were never requested."""
    trace, capacity = case
    deepest = min(capacity, int(trace.depths.max(initial=0)))
    kept = [int(v) for v in trace.requests if 0 < trace.tree.depth[v] <= deepest][:requests]
    assume(kept)
    short = shorten(trace, requests=requests, deepest=deepest)
    assert short.depths.tolist() == [int(trace.tree.depth[v]) for v in kept]
    assert short.tree.n == len({int(u) for v in kept for u in trace.tree.path(v)})
    long_engine = ReferenceEngine(trace.tree, capacity, policies()[name], 0)
    short_engine = ReferenceEngine(short.tree, capacity, policies()[name], 0)
    for v, u in zip(kept, short.requests.tolist(), strict=True):
        before, after = long_engine.serve(v)[0], short_engine.serve(u)[0]
        assert trace.tree.depth[before] == short.tree.depth[after]


def test_shorten_keeps_a_column_beside_its_request_and_leaves_empty_prompts_out() -> None:
    tree = PrefixTree(np.array([-1, 0, 1, 1, 0], np.int32))
    times = np.arange(5.0)
    trace = Trace(tree, np.array([0, 3, 4, 2, 3], np.int32), columns={"timestamp": times})
    short = shorten(trace, requests=2)
    assert short.depths.tolist() == [2, 1]
    assert short.tree.n == 3
    assert short.columns["timestamp"].tolist() == [1, 2]
    assert shorten(trace, deepest=1).columns["timestamp"].tolist() == [2]


def test_nothing_left() -> None:
    tree = PrefixTree(np.array([-1, 0, 1], np.int32))
    with pytest.raises(InputError, match="no request of 1 to 1 blocks"):
        shorten(Trace(tree, np.array([2, 0], np.int32)), deepest=1)


PLAN = Plan("tiny-shape", ("cyclic",), ("stock", "lru"), 32, 66, 2048)


def test_this_plan_can_be_carried_out() -> None:
    PLAN.check()
    replace(PLAN, load=None, warmup=0.0, names=("rlt",)).check()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"names": ("lrv",)}, "no policy is named 'lrv'"),
        ({"names": ("stock", "")}, "no policy is named ''"),
        ({"names": ("lru", "rlt", "lru")}, "'lru' is named twice"),
        ({"workloads": ("cyclic", "cyclic")}, "'cyclic' is named twice"),
        ({"engine": "llm"}, "'llm' is not one of in-process, async"),
        ({"repeats": 0}, "repeats"),
        ({"requests": 1}, "requests"),
        ({"together": 0}, "together"),
        ({"output": 0}, "output"),
        ({"warmup": 1.0}, "share below 1"),
        ({"warmup": -0.1}, "share below 1"),
        ({"load": 2.0}, "between 0 and 2"),
        ({"load": -1.0}, "between 0 and 2"),
    ],
)
def test_plans_that_cannot(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        replace(PLAN, **changes).check()


def test_a_round_is_all_workloads_under_all_policies_in_an_order_of_its_own() -> None:
    plan = replace(PLAN, workloads=("cyclic", "zipf"), names=("stock", "lru", "rlt"), repeats=4)
    order = list(rounds(plan, plan.workloads, plan.names))
    by_round = [order[i : i + 6] for i in range(0, 24, 6)]
    for i, served in enumerate(by_round):
        assert sorted(served) == sorted(product([i], plan.workloads, plan.names))
    assert len({tuple(cell[1:] for cell in served) for served in by_round}) == 4
    assert order == list(rounds(plan, plan.workloads, plan.names))
    assert order != list(rounds(replace(plan, seed=plan.seed + 1), plan.workloads, plan.names))


@pytest.mark.parametrize(
    ("file", "drawn"), [("model.safetensors", False), ("pytorch_model.bin", False), (None, True)]
)
def test_weights_on_disk_are_used(tmp_path: Path, file: str | None, drawn: bool) -> None:
    (tmp_path / "config.json").write_text('{"vocab_size": 99}')
    if file:
        (tmp_path / file).touch()
    assert model_folder(str(tmp_path), 512, tmp_path / "new") == (str(tmp_path), drawn, 99)
