"""What a kernel of an object defines, for `kvtheory/engine/templates/lists.py`: here one that keeps no lists.

Such a kernel is a module that an :class:`~kvtheory.object_policy.ObjectPolicy` names as its `kernel`. It
defines these four compiled, `LEAF_LISTS`, `OWN_COLUMNS`, and `start`, which copies the numbers of a new
object into a :class:`~kvtheory.engine.lists.Memory`. It copies what the policy's file holds of constants,
too: an edit there would not be seen by compiled code that read them.
"""

from __future__ import annotations

from typing import Any

from kvtheory._numba import njit_inner
from kvtheory.engine.lists import NOWHERE, Memory
from kvtheory.model import IntArray, LongArray

LEAF_LISTS, OWN_COLUMNS = 0, 0


def start(memory: Memory, mind: Any) -> None:
    """The object's numbers before the first request."""


@njit_inner
def on_request(node: IntArray, m: LongArray, path: IntArray, length: int, held: int) -> None:
    """A path arrives, root to tip; its first `held` of `length` nodes are cached."""


@njit_inner
def on_insert(node: IntArray, m: LongArray, v: int) -> None:
    """A node comes in, its parent before it."""


@njit_inner
def victim(node: IntArray, m: LongArray, over: int) -> int:
    """The node to evict, one whose FREE is set; `over` nodes too many are cached."""
    return NOWHERE


@njit_inner
def on_evict(node: IntArray, m: LongArray, v: int) -> None:
    """The victim has left."""
