"""A cost model from measurements: TTFT = fixed + cached * alpha_cached + computed * alpha_miss + attention.

With it the simulator predicts TTFT on a workload that it was not fitted on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kvtheory.engine.presets import relative_least_squares

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class TTFTModel:
    """Seconds to the first token of a request that waits for nobody.

    Attributes:
        fixed: of every request.
        cached, computed: per token.
        attention: per pair of a computed token and a token before it.
    """

    fixed: float
    cached: float
    computed: float
    attention: float

    def predict(self, hit: FloatArray, miss: FloatArray) -> FloatArray:
        """TTFT of requests with `hit` cached and `miss` computed tokens; seconds, shape (N,)."""
        found: FloatArray = _features(hit, miss) @ np.array(
            [self.fixed, self.cached, self.computed, self.attention]
        )
        return found


def fit(hit: FloatArray, miss: FloatArray, ttft: FloatArray) -> TTFTModel:
    """The least squares of relative errors with coefficients that are not negative.

    Args:
        hit: cached tokens, shape (N,).
        miss: computed tokens, shape (N,).
        ttft: seconds, shape (N,), of requests served one at a time.

    Raises:
        InputError: with fewer rows than coefficients, or where the least squares do not converge.
    """
    return TTFTModel(*relative_least_squares(_features(hit, miss), ttft))


def _features(hit: FloatArray, miss: FloatArray) -> FloatArray:
    return np.stack([np.ones_like(miss), hit, miss, miss * (hit + (miss + 1) / 2)], axis=1)
