"""What a request says of itself beside its prompt: the columns of a trace, or what a client sent along.

A policy that is an object names what it reads (`reads` of :class:`kvtheory.object_policy.ObjectPolicy`) and
is told before it sees the request. It knows nothing of the answer: `output_length` is a fact of the future.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kvtheory.model import Trace

About = Mapping[str, int | float]
"""Numbers by name: `timestamp` and what else there is, see :class:`Facts`."""

NOTHING: About = {}
FUTURE = frozenset({"output_length"})
DERIVED = "input_length"


class Facts:
    """What each request of a trace says of itself, request by request.

    They are the trace's columns as they are, `timestamp` in seconds, `type` a code. A column that the trace
    lacks is absent, but `input_length`: then it is the tokens of the path as it is served.

    Args:
        columns: a sequence for each name, all of one length.
    """

    def __init__(self, columns: Mapping[str, Sequence[Any]] | None = None) -> None:
        self.columns = dict(columns or {})
        self._length = min((len(values) for values in self.columns.values()), default=0)

    @classmethod
    def of(cls, trace: Trace, names: Sequence[str]) -> Facts:
        """Those of `names` that a trace has."""
        columns = {name: trace.columns[name].tolist() for name in names if name in trace.columns}
        if DERIVED in names and DERIVED not in columns:
            columns[DERIVED] = trace.tree.path_sums(trace.tree.tokens)[trace.requests].tolist()
        return cls(columns)

    def __getitem__(self, request: int) -> dict[str, int | float]:
        """What request number `request` says; nothing if the trace has no such request."""
        if request >= self._length:
            return {}
        return {name: values[request] for name, values in self.columns.items()}
