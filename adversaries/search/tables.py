"""What one request does to a policy and to OPT, as tables that grow while a search walks.

A policy's states are those of :mod:`kvtheory.engine.exact`, numbered as they are met; OPT's are the work
functions of :mod:`kvtheory.ratio.work_function`. Neither is explored in advance: a search pays only for what
it visits, a request costs two look-ups, and OPT is exact at every step.
"""

from __future__ import annotations

from math import lcm
from typing import Any

import numpy as np

from kvtheory.engine.exact import ExactEngine, PolicyState
from kvtheory.errors import LimitError
from kvtheory.policy import Column, Policy
from kvtheory.ratio.instance import Instance
from kvtheory.ratio.work_function import advance

Outcomes = tuple[int, int, list[tuple[int, int]]]
UNKNOWN = -1
MOST_STATES, MOST_OUTCOMES = 2_000_000, 20_000_000
MOST_FUNCTION_BYTES = 1 << 30
LARGEST_COLUMN = 1 << 30


class PolicyTable:
    """States of a policy, numbered in the order in which they are met; 0 is the empty cache.

    Args:
        instance: the game; request r is `instance.requestable[r]`.
        policy: any policy. A column that is neither ORDER nor of finite range is followed up to 2**30.
        aged: whether states hold the order of insertion.
        most: states it may number.

    Attributes:
        begin: int64, shape (P, R): where the outcomes of request r in state p begin.
        outcomes: int32, shape (P, R): how many there are; `UNKNOWN` where nobody was yet.
        misses: int32, shape (P, R).
        to: int32: the state after each outcome.
        chance: float64: its probability, rounded.
        exact: for each known (p, r): misses, common denominator, and (state, numerator) of each outcome.
    """

    def __init__(
        self, instance: Instance, policy: type[Policy], *, aged: bool = False, most: int = MOST_STATES
    ) -> None:
        self.instance, self.most = instance, most
        self.engine = ExactEngine(instance.tree, instance.capacity, _ranged(policy), aged=aged)
        requests = len(instance.requestable)
        self.states: list[PolicyState] = [self.engine.start]
        self.number = {self.engine.start: 0}
        self.exact: dict[tuple[int, int], Outcomes] = {}
        self.begin = np.zeros((64, requests), dtype=np.int64)
        self.outcomes = np.full((64, requests), UNKNOWN, dtype=np.int32)
        self.misses = np.zeros((64, requests), dtype=np.int32)
        self.to = np.zeros(256, dtype=np.int32)
        self.chance = np.zeros(256, dtype=np.float64)
        self.used = 0

    def __len__(self) -> int:
        return len(self.states)

    def explore(self, state: int, r: int) -> None:
        """Fill in one transition.

        Raises:
            LimitError: if there are too many states.
            PolicyError: if the policy breaks a promise.
            AgeNeeded: if the states have to hold the order of insertion, and do not.
        """
        misses, after = self.engine.serve(self.states[state], self.instance.requestable[r])
        whole = lcm(*(chance.denominator for _, chance in after))
        reached = [(self._register(to), int(chance * whole)) for to, chance in after]
        self.exact[state, r] = misses, whole, reached
        if self.used + len(reached) > self.to.size:
            self.to, self.chance = _doubled(self.to, 0), _doubled(self.chance, 0)
        self.begin[state, r] = self.used
        self.misses[state, r] = misses
        self.outcomes[state, r] = len(reached)
        for to, part in reached:
            self.to[self.used], self.chance[self.used] = to, part / whole
            self.used += 1

    def _register(self, state: PolicyState) -> int:
        number = self.number.setdefault(state, len(self.states))
        if number == len(self.states):
            self.states.append(state)
            if number >= self.most or self.used > MOST_OUTCOMES:
                raise LimitError(f"more than {number:,} policy states were met: the search is too large")
            if number >= len(self.begin):
                self.begin, self.misses = _doubled(self.begin, 0), _doubled(self.misses, 0)
                self.outcomes = _doubled(self.outcomes, UNKNOWN)
        return number


class WorkTable:
    """Work functions, numbered in the order in which they are met; 0 is the empty cache's.

    Attributes:
        next: int32, shape (Q, R): the work function after request r; `UNKNOWN` where nobody was yet.
        increase: int32, shape (Q, R): by how much OPT grows.

    Raises:
        LimitError: if the tree has more than 2**18 cache states.
    """

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        requests, closed = len(instance.requestable), instance.closed
        paths = np.array([instance.paths[v] for v in instance.requestable], dtype=np.int64)
        self._holds = (closed[None, :] & paths[:, None]) == paths[:, None]
        start = np.array([mask.bit_count() for mask in closed.tolist()], dtype=np.uint8)
        self.value = [start.tobytes()]
        self.number = {self.value[0]: 0}
        self.next = np.full((64, requests), UNKNOWN, dtype=np.int32)
        self.increase = np.zeros((64, requests), dtype=np.int32)

    def __len__(self) -> int:
        return len(self.value)

    def explore(self, q: int, r: int) -> None:
        """Fill in one request.

        Raises:
            LimitError: if they need more than 1 GiB.
        """
        row = np.frombuffer(self.value[q], dtype=np.uint8).reshape(1, -1)
        after, increase = advance(row, self._holds[r : r + 1], *self.instance.steps)
        found = after.tobytes()
        number = self.number.setdefault(found, len(self.value))
        if number == len(self.value):
            self.value.append(found)
            if number * len(found) > MOST_FUNCTION_BYTES:
                raise LimitError(f"more than {number:,} work functions were met: the search is too large")
            if number >= len(self.next):
                self.next, self.increase = _doubled(self.next, UNKNOWN), _doubled(self.increase, 0)
        self.next[q, r] = number
        self.increase[q, r] = int(increase[0, 0])


def _doubled(array: Any, fill: int) -> Any:
    larger = np.full((2 * array.shape[0], *array.shape[1:]), fill, dtype=array.dtype)
    larger[: array.shape[0]] = array
    return larger


def _ranged(policy: type[Policy]) -> type[Policy]:
    """The policy with a range for every column: a walk is finite even where its states are not."""
    columns = {
        name: column
        if column.order or None not in (column.low, column.high)
        else Column(-LARGEST_COLUMN, LARGEST_COLUMN)
        for name, column in policy.columns.items()
    }
    if columns == policy.columns:
        return policy
    return type(policy.__name__, (policy,), {"columns": columns, "__doc__": policy.__doc__})
