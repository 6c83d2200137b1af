"""Growing trees by chains, in whole arrays."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kvtheory.errors import InputError

LARGEST_TREE = 2**31 - 2


class ChainTree:
    """A tree under construction; every chain's nodes are numbered consecutively."""

    def __init__(self) -> None:
        self._parts: list[npt.NDArray[np.int32]] = [np.array([-1], dtype=np.int32)]
        self.size = 1

    def add(self, tops: npt.ArrayLike, lengths: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Hang one chain below each of `tops`; returns the chains' tips (the top where the length is 0).

        Args:
            tops: nodes that exist, shape (C,) or a single one.
            lengths: nodes of each chain, shape (C,).

        Raises:
            InputError: if the tree outgrows 32-bit node numbers.
        """
        lengths = np.asarray(lengths, dtype=np.int64)
        tops = np.broadcast_to(np.asarray(tops, dtype=np.int64), lengths.shape)
        ends = self.size + np.cumsum(lengths)
        total = int(lengths.sum())
        if self.size + total > LARGEST_TREE:
            raise InputError(f"{self.size + total} nodes: more than {LARGEST_TREE}")
        parents = np.arange(self.size - 1, self.size + total - 1, dtype=np.int32)
        some = lengths > 0
        parents[(ends - lengths - self.size)[some]] = tops[some]
        self._parts.append(parents)
        self.size += total
        return np.where(some, ends - 1, tops)

    def parents(self) -> npt.NDArray[np.int32]:
        """Parent of every node, int32, shape (n+1,)."""
        return np.concatenate(self._parts)


def require_positive(**values: float) -> None:
    """Raise InputError for the first value that is not positive."""
    for name, value in values.items():
        if not 0 < value < LARGEST_TREE:
            raise InputError(f"{value} is not positive, or too large", field=name)


def poisson_arrivals(rng: np.random.Generator, requests: int, rate: float) -> npt.NDArray[np.float64]:
    """Arrival times in seconds of a Poisson process of `rate` requests a second."""
    return np.cumsum(rng.exponential(1 / rate, requests))
