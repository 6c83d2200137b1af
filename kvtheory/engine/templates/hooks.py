"""Stand-in for the part that `codegen` writes from a policy, so that the templates are real modules."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kvtheory._numba import njit

HAS_HOOKS = True
RANKED = True
RECENCY = True
TOUCH = True
BINARY = True
PHASES = True
FULL = True
COLUMNS = 1


class State(NamedTuple):
    """The columns a hook sees, one array each."""

    last_use: npt.NDArray[np.int64]
    marked: npt.NDArray[np.int8]


@njit
def make_state(columns: npt.NDArray[np.int64], marked: npt.NDArray[np.int8]) -> Any:
    return State(columns[0], marked)


@njit
def reset(s: Any, v: int) -> None:
    s.last_use[v] = 0


@njit
def on_access(s: Any, v: int, t: int) -> None:
    s.last_use[v] = t


@njit
def on_insert(s: Any, v: int, t: int) -> None:
    pass


@njit
def on_evict(s: Any, v: int, t: int) -> None:
    pass


@njit
def rank(s: Any, v: int) -> tuple[int, ...]:
    return (s.last_use[v],)


@njit
def weight(s: Any, v: int) -> int:
    return 1
