"""Predictions made from a whole trace, for studies and tests: the truth, and the truth with errors.

What is made here knows the future, so it is no policy of the registry:
:func:`kvtheory.advice.advised.advised` binds a policy to it for one trace.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from kvtheory.advice.predictor import NEVER, Predictor
from kvtheory.errors import InputError
from kvtheory.model import LongArray, Trace
from kvtheory.object_policy import Key

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Advice:
    """A next use for each node of each path of a trace.

    Attributes:
        start: int64, shape (N+1,): where the entries of each request begin; they go from root to tip.
        when: int64: the next use of each, `NEVER` if it has none.
    """

    start: LongArray
    when: LongArray

    @property
    def requests(self) -> int:
        """Number of requests, N."""
        return int(self.start.size - 1)

    @property
    def asked(self) -> LongArray:
        """The request that each entry is predicted in."""
        return np.repeat(np.arange(self.requests), np.diff(self.start))

    def waits(self) -> LongArray:
        """Requests until the next use; N for a node that has none."""
        return np.where(self.when == NEVER, self.requests, self.when - self.asked)

    def error(self, truth: Advice) -> int:
        """Sum over all entries of how far apart the two are; a use after the last request is at N."""
        n = self.requests
        return int(np.abs(np.minimum(self.when, n) - np.minimum(truth.when, n)).sum())

    def scaled(self, sigma: float, seed: int) -> Advice:
        """Each wait times a lognormal factor, the exponential of a Gaussian of standard deviation `sigma`.

        A node that has no next use waits N before the factor.
        """
        if sigma < 0:
            raise InputError(f"{sigma} is negative", field="sigma")
        noise = np.random.default_rng(seed).standard_normal(self.when.size)
        return self._waiting(np.exp(sigma * noise) * self.waits()) if sigma else self

    def replaced(self, share: float, seed: int) -> Advice:
        """Each entry with probability `share` replaced: by never or a wait uniform in 1..N, half each."""
        rng = np.random.default_rng(seed)
        hit = rng.random(self.when.size) < _share(share)
        wait = rng.integers(1, max(self.requests, 1) + 1, self.when.size)
        never = rng.random(self.when.size) < 0.5
        return replace(self, when=np.where(hit, np.where(never, NEVER, self.asked + wait), self.when))

    def inverted(self, share: float, seed: int) -> Advice:
        """Each entry with probability `share` turned round: a wait of w is said to be N + 1 - w."""
        turned = np.random.default_rng(seed).random(self.when.size) < _share(share)
        return replace(self, when=np.where(turned, self.asked + self.requests + 1 - self.waits(), self.when))

    def _waiting(self, waits: Floats) -> Advice:
        return replace(self, when=self.asked + np.maximum(1, np.rint(waits)).astype(np.int64))


def _share(share: float) -> float:
    if not 0 <= share <= 1:
        raise InputError(f"{share} is not in [0, 1]", field="share")
    return share


def truth(trace: Trace) -> Advice:
    """The next use of every node of every path, of a trace whose paths fit (see :meth:`Trace.cut`)."""
    parent = trace.tree.parent.tolist()
    start = np.concatenate([[0], np.cumsum(trace.depths)]).astype(np.int64)
    when = np.empty(int(start[-1]), np.int64)
    following = [NEVER] * len(parent)
    for t in range(len(trace) - 1, -1, -1):
        v = int(trace.requests[t])
        for at in range(int(start[t + 1]) - 1, int(start[t]) - 1, -1):
            when[at] = following[v]
            following[v] = t
            v = parent[v]
    return Advice(start, when)


class Told(Predictor):
    """Reads out advice, request by request.

    Args:
        advice: what it says, for the trace that is served.
    """

    def __init__(self, advice: Advice) -> None:
        self.start, self.when = advice.start, advice.when
        self.time = 0

    def predict(self, path: Sequence[Key]) -> list[int]:
        first, end = self.start[self.time : self.time + 2].tolist()
        if end - first != len(path):
            raise InputError(f"request {self.time} is for {len(path)} nodes, the advice is for {end - first}")
        self.time += 1
        found: list[int] = self.when[first:end].tolist()
        return found
