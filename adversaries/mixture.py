"""Several workloads at once, interleaved by time or by weight."""

from __future__ import annotations

import re
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt

from adversaries.chains import LARGEST_TREE
from adversaries.draws import Floats, Ints, require_whole, written
from kvtheory.errors import InputError
from kvtheory.model import IntArray, PrefixTree, Trace
from kvtheory.sources import generate

_LARGEST_WEIGHT = 1e9


def mixture(
    *,
    of: str = "chat:sessions=200/rate=0.2+documents:visits=200/rate=0.1+rag:requests=800/rate=1",
    weights: str = "time",
    seed: int = 0,
) -> Trace:
    """Requests of several workloads, on disjoint trees below one root.

    Workloads are written with `/` where they have a comma of their own, and joined by `+`, as in
    `mixture:of=chat:turns=3/seed=1+rag:order=random`. The type of a request is the one its workload gives it,
    else the name of the workload.

    Args:
        of: the workloads; give those of one name different seeds.
        weights: one number for each: the next request is drawn by weight among the workloads that have any
            left, and there are no times. `time`: all have times, and are merged by them.
        seed: of numpy's default generator, for the draws by weight.
    """
    require_whole(0, seed=seed)
    specs = [spec.replace("/", ",") for spec in re.split(r"\+(?=[A-Za-z_])", of)]
    if any(spec.partition(":")[0] == "mixture" for spec in specs):
        raise InputError("a mixture of mixtures: name their workloads instead", field="of")
    shares = None if weights == "time" else _weights(weights, len(specs))
    traces = [_component(spec) for spec in specs]
    blocks = [trace.block_tokens for trace in traces]
    if len(set(blocks)) > 1:
        raise InputError(f"blocks of {', '.join(map(str, blocks))} tokens: choose one size", field="of")
    if shares is None:
        untimed = [
            spec for spec, trace in zip(specs, traces, strict=True) if "timestamp" not in trace.columns
        ]
        if untimed:
            raise InputError(f"{untimed[0]} has no times: give weights", field="of")
        times = np.concatenate([trace.columns["timestamp"] for trace in traces])
        order = np.argsort(times, kind="stable")
    else:
        turns = _turns(np.random.default_rng(seed), shares, np.array([len(trace) for trace in traces]))
        order = np.empty(turns.size, dtype=np.int64)
        order[np.argsort(turns, kind="stable")] = np.arange(turns.size)
    made = "+".join(trace.source.replace(",", "/") for trace in traces)
    columns, kinds = _columns(traces, order, timed=shares is None)
    return Trace(
        _side_by_side(traces),
        _requests(traces)[order],
        block_tokens=blocks[0],
        source=written("mixture", {"of": made, "weights": weights, "seed": seed}),
        columns=columns,
        type_names=kinds,
    )


def _component(spec: str) -> Trace:
    try:
        return generate(spec)
    except InputError as error:
        raise InputError(str(error), field="of") from error


def _weights(text: str, count: int) -> Floats:
    try:
        weights = [float(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"'{text}' is not a list of numbers", field="weights") from None
    if len(weights) != count:
        raise InputError(f"{len(weights)} for {count} workloads", field="weights")
    if not all(0 < weight <= _LARGEST_WEIGHT for weight in weights):
        raise InputError(f"'{text}' has a number that is not positive, or too large", field="weights")
    return np.array(weights)


def _turns(rng: np.random.Generator, shares: Floats, counts: Ints) -> Ints:
    """Whose turn it is, shape (sum of `counts`,): drawn by share among those that have requests left."""
    left = counts.copy()
    parts = []
    while left.any():
        heap = np.cumsum(np.where(left > 0, shares, 0))
        drawn = np.searchsorted(heap, rng.random(int(left.sum())) * heap[-1], side="right")
        spent = [np.flatnonzero(drawn == c)[n - 1 :][:1] for c, n in enumerate(left.tolist()) if n]
        drawn = drawn[: np.concatenate(spent).min() + 1]  # up to the draw that leaves one of them empty
        left -= np.bincount(drawn, minlength=left.size)
        parts.append(drawn)
    return np.concatenate(parts)


def _side_by_side(traces: list[Trace]) -> PrefixTree:
    """All trees below one root, one after the other."""
    parents, tokens = [np.array([-1], dtype=np.int32)], [np.zeros(1, dtype=np.int32)]
    for trace, offset in zip(traces, _offsets(traces), strict=True):
        parent = trace.tree.parent[1:]
        parents.append(np.where(parent > 0, parent + np.int32(offset), 0))
        tokens.append(trace.tree.tokens[1:])
    return PrefixTree(np.concatenate(parents), np.concatenate(tokens))


def _requests(traces: list[Trace]) -> IntArray:
    """The requests of all, one trace after the other, in the numbers of the common tree."""
    moved = [
        np.where(trace.requests > 0, trace.requests + np.int32(offset), 0)
        for trace, offset in zip(traces, _offsets(traces), strict=True)
    ]
    return np.concatenate(moved).astype(np.int32)


def _offsets(traces: list[Trace]) -> list[int]:
    """Nodes in the trees before each."""
    before = [0, *accumulate(trace.tree.n for trace in traces)]
    if before[-1] > LARGEST_TREE:
        raise InputError(f"{before[-1]} nodes: more than {LARGEST_TREE}", field="of")
    return before[:-1]


def _columns(
    traces: list[Trace], order: Ints, *, timed: bool
) -> tuple[dict[str, npt.NDArray[Any]], tuple[str, ...]]:
    """Columns of the mixture in its order, and the names of its types.

    Times where all have them; what a workload does not say is 0 (no reply), or a chat of one request.
    """
    names: dict[str, int] = {}
    parts: dict[str, list[npt.NDArray[Any]]] = {}
    offset = 0
    for trace in traces:
        size = len(trace)
        kinds = trace.type_names or (trace.source.partition(":")[0],)
        codes = np.array([names.setdefault(kind, len(names)) for kind in kinds])
        before = _continued(trace)
        none = np.zeros(size, dtype=np.int64)
        said = {
            "output_length": trace.columns.get("output_length", none),
            "parent_chat_id": np.where(before < 0, -1, before + offset),
            "turn": trace.columns.get("turn", none + 1),
            "type": codes[trace.columns.get("type", none)],
        }
        if timed:
            said["timestamp"] = trace.columns["timestamp"]
        for key, column in said.items():
            parts.setdefault(key, []).append(column)
        offset += size
    columns = {key: np.concatenate(part)[order] for key, part in parts.items()}
    place = np.empty(order.size, dtype=np.int64)
    place[order] = np.arange(order.size)
    columns["chat_id"] = np.arange(order.size)
    columns["parent_chat_id"] = np.where(columns["parent_chat_id"] < 0, -1, place[columns["parent_chat_id"]])
    return columns, tuple(names)


def _continued(trace: Trace) -> Ints:
    """The place in its trace of the request that each one continues; -1 for none, shape (N,)."""
    if not {"chat_id", "parent_chat_id"} <= trace.columns.keys():
        return np.full(len(trace), -1, dtype=np.int64)
    ids, wanted = trace.columns["chat_id"], trace.columns["parent_chat_id"]
    order = np.argsort(ids, kind="stable")
    at = np.minimum(np.searchsorted(ids[order], wanted), ids.size - 1)
    return np.where(ids[order[at]] == wanted, order[at], -1)
