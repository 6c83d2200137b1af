"""The transitions of :mod:`kvtheory.engine.exact` for many states of a ranked policy at once, compiled."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kvtheory.engine.codegen import load_kernel
from kvtheory.engine.exact import AgeNeeded, ExactEngine, PolicyState
from kvtheory.engine.templates.steps import AGE_NEEDED, OUT_OF_RANGE
from kvtheory.errors import PolicyError
from kvtheory.model import IntArray, PrefixTree

Labels = npt.NDArray[np.int16]


class CompiledSteps:
    """Serves requests for an :class:`ExactEngine`, state by state the same.

    Args:
        tree: the prefixes.
        capacity: nodes the cache holds.
        engine: the engine to agree with; its policy ranks.
    """

    def __init__(self, tree: PrefixTree, capacity: int, engine: ExactEngine) -> None:
        columns = engine.policy.columns.values()
        self.name, self.aged = engine.policy.name, engine.aged
        self._serve = load_kernel(engine.policy, "steps", engine.policy.traits).serve_all
        ordered = np.array([column.order for column in columns], dtype=np.bool_)
        limits = np.array([(column.low or 0, column.high or 0) for column in columns], dtype=np.int64)
        self._fixed = (tree.parent, tree.depth, capacity, ordered, limits.reshape(-1, 2), engine.aged)

    def serve(self, states: list[PolicyState], requests: IntArray) -> tuple[Labels, IntArray]:
        """States after every request, int16, shape (F, R, n+1, L), and misses, int32, shape (F, R).

        Raises:
            PolicyError: if the policy leaves a column's range, or reads more than the order of a column.
            AgeNeeded: if the order of insertion decides an eviction and the engine is not `aged`.
        """
        before = np.array(states, dtype=np.int16)
        after, cost = self._run(before, requests, False)
        again, same = self._run(before, requests, True)
        if not (np.array_equal(after, again) and np.array_equal(cost, same)):
            raise PolicyError(f"{self.name}: reads more from a column or the request index than ORDER allows")
        return after, cost

    def _run(self, before: Labels, requests: IntArray, stretch: bool) -> tuple[Labels, IntArray]:
        after = np.zeros((len(before), len(requests), *before.shape[1:]), dtype=np.int16)
        cost = np.zeros(after.shape[:2], dtype=np.int32)
        status = self._serve(*self._fixed, stretch, before, requests, after, cost)
        if status == AGE_NEEDED:
            raise AgeNeeded
        if status == OUT_OF_RANGE:
            raise PolicyError(f"{self.name}: a column left its declared range")
        return after, cost


def labels_of(row: bytes, nodes: int) -> PolicyState:
    """The state whose labels are these bytes, one label for each of the tree's nodes and the root."""
    labels = np.frombuffer(row, dtype=np.int16).reshape(nodes, -1)
    return tuple(map(tuple, labels.tolist()))
