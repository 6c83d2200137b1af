"""How many examples Hypothesis draws: the profile says it, also for tests that want more than others."""

from __future__ import annotations

import numba
import pytest
from hypothesis import settings

QUICK = 25
"""Examples of a test that does not say, in the profile `quick`."""


def examples(quick: int) -> int:
    """Examples where the profile `quick` draws `quick`: as many times more as the profile draws."""
    return max(1, quick * settings().max_examples // QUICK)


whole_trace = pytest.mark.skipif(
    numba.config.DISABLE_JIT, reason="numba compiles nothing: hundreds of thousands of blocks take minutes"
)
