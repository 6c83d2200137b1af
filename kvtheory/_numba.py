"""One typed door to numba: compiled once per install, cached on disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., object])


def njit(function: F) -> F:
    """Compile with numba and keep the machine code in numba's on-disk cache."""
    return cast(F, numba.njit(cache=True)(function))
