"""When requests arrive, and to which conversation each belongs."""

from __future__ import annotations

import numpy as np

from kvtheory._numba import njit
from kvtheory.errors import InputError
from kvtheory.model import Floats, IntArray, LongArray, Trace


def arrival_times(trace: Trace, spec: str, seed: int = 0) -> Floats:
    """Times of arrival, non-decreasing, shape (N,), the first at 0 or later.

    Args:
        trace: the requests.
        spec: `zero`: all at once, in order; `trace`: by the trace's timestamps, from 0; `trace:F`: F times as
            fast; `poisson:R`: R a unit of time, drawn by numpy's default generator.
        seed: of that draw.

    Raises:
        InputError: if it is none of these, a number is not positive, or the trace has no timestamps or
            decreasing ones.
    """
    kind, _, number = spec.partition(":")
    rate = _positive(number, spec) if number else 1.0
    if spec == "zero":
        return np.zeros(len(trace))
    if kind == "poisson" and number:
        return np.cumsum(np.random.default_rng(seed).exponential(1 / rate, len(trace)))
    if kind != "trace" or spec.endswith(":"):
        raise InputError(f"'{spec}' is not zero, trace, trace:FACTOR or poisson:RATE", field="arrivals")
    if "timestamp" not in trace.columns:
        raise InputError("the trace has no timestamps", file=trace.source, field="arrivals")
    stamps = np.asarray(trace.columns["timestamp"], dtype=np.float64)
    backwards = np.flatnonzero(np.diff(stamps) < 0)
    if backwards.size:
        raise InputError(
            f"timestamps decrease after request {backwards[0] + 1}", file=trace.source, field="timestamp"
        )
    return (stamps - stamps[:1]) / rate


def _positive(text: str, spec: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < np.inf:
        raise InputError(f"'{spec}': {text} is not a positive number", field="arrivals")
    return value


def sessions(trace: Trace) -> LongArray:
    """The conversation of each request, numbered from 0 by first appearance; int64, shape (N,).

    By the trace's `chat_id` and `parent_chat_id`: a request that continues none begins one. Where the trace
    does not say, a request continues the last one whose prompt, up to its last full block, is on its path and
    longer than one block: the reply has then been appended to that prompt.
    """
    columns = trace.columns
    if "chat_id" in columns:
        return _by_ids(columns["chat_id"], columns.get("parent_chat_id"))
    return _by_prompts(trace.tree.parent, trace.requests)


def _by_ids(ids: LongArray, parents: LongArray | None) -> LongArray:
    found = np.empty(len(ids), np.int64)
    known: dict[int, int] = {}
    count = 0
    above = [-1] * len(ids) if parents is None else parents.tolist()
    for t, (chat, parent) in enumerate(zip(ids.tolist(), above, strict=True)):
        session = known.get(chat if chat in known else parent, -1)
        if session < 0:
            session, count = count, count + 1
        found[t] = known[chat] = session
    return found


@njit
def _by_prompts(parent: IntArray, requests: IntArray) -> LongArray:
    found = np.empty(requests.size, np.int64)
    owner = np.full(parent.size, -1, np.int64)
    count = 0
    for t in range(requests.size):
        v = requests[t]
        session, u = -1, v
        while u > 0 and parent[u] > 0 and session < 0:
            session = owner[u]
            u = parent[u]
        if session < 0:
            session, count = count, count + 1
        found[t] = session
        if v > 0:
            owner[v] = session
            if parent[v] > 0:
                owner[parent[v]] = session
    return found
