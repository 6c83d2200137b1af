"""What the realistic families draw: lengths, Zipf ranks, ragged sequences; and checks of parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from adversaries.chains import LARGEST_TREE
from kvtheory.errors import InputError

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

LARGEST_EXPONENT = 10.0
LARGEST_SPREAD = 4.0
LISTABLE = 100_000_000
_ROWS = 1 << 16


def written(name: str, values: Mapping[str, object]) -> str:
    """The spec `name:key=value,...` that makes the same trace again."""
    return f"{name}:" + ",".join(f"{key}={value}" for key, value in values.items())


def require_range(low: float, high: float, **values: float) -> None:
    """Raise InputError for the first value outside `[low, high]`."""
    for name, value in values.items():
        if not low <= value <= high:
            raise InputError(f"{value} is not in [{low:g}, {high:g}]", field=name)


def require_whole(minimum: int, **values: int) -> None:
    """Raise InputError for the first count below `minimum`, or too large for a tree."""
    for name, value in values.items():
        if not minimum <= value < LARGEST_TREE:
            raise InputError(f"{value} is less than {minimum}, or too large", field=name)


def require_listable(**counts: int) -> None:
    """Raise InputError, naming the factors, if their product is more requests than a list holds."""
    if math.prod(counts.values()) > LISTABLE:
        raise InputError(f"more than {LISTABLE} requests", field=" x ".join(counts))


def lengths(rng: np.random.Generator, mean: float, spread: float, size: int) -> Ints:
    """Log-normal whole numbers, rounded, at least 1: int64, shape (size,).

    Args:
        rng: numpy's generator.
        mean: of the log-normal law, before it is rounded.
        spread: standard deviation of the logarithm; 0 gives `mean` itself.
        size: how many.
    """
    drawn = np.exp(rng.standard_normal(size) * spread + (np.log(mean) - spread**2 / 2))
    whole: Ints = np.rint(np.clip(drawn, 1, LARGEST_TREE)).astype(np.int64)
    return whole


def geometric(rng: np.random.Generator, mean: float, size: int) -> Ints:
    """Geometric counts 1, 2, ... of a mean of at least 1: int64, shape (size,)."""
    return rng.geometric(1 / mean, size)


def zipf_ranks(rng: np.random.Generator, items: int, exponent: float, size: int) -> Ints:
    """Independent ranks 0..items-1, rank i with weight 1/(i+1)^exponent: int64, shape (size,)."""
    return zipf_sets(rng, items, exponent, size, 1)[:, 0]


def zipf_sets(rng: np.random.Generator, items: int, exponent: float, size: int, members: int) -> Ints:
    """Distinct ranks, each drawn by weight among those not drawn yet: int64, shape (size, members).

    The ranks that are left form intervals between those that are gone. An interval is drawn by its weight,
    then a rank inside it: no rejection, so that a steep law costs no more than a flat one. Weights are summed
    from the smallest up, which keeps their relative precision.
    """
    weight = np.arange(1, items + 1, dtype=np.float64) ** -exponent
    upward = np.concatenate([[0.0], np.cumsum(weight[::-1])])  # upward[m]: weight of the last m ranks
    chance = rng.random((size, members))
    found = np.empty((size, members), dtype=np.int64)
    for top in range(0, size, _ROWS):
        found[top : top + _ROWS] = _sets(upward, chance[top : top + _ROWS])
    return found


def _sets(upward: Floats, chance: Floats) -> Ints:
    items = upward.size - 1
    found = np.empty(chance.shape, dtype=np.int64)
    for j in range(chance.shape[1]):
        gone = np.sort(found[:, :j], axis=1)[:, ::-1]
        edge = np.zeros((gone.shape[0], 1), dtype=np.int64)
        first = np.concatenate([gone + 1, edge], axis=1)  # intervals [first, end), the last of them first
        end = np.concatenate([edge + items, gone], axis=1)
        mass = np.cumsum(upward[items - first] - upward[items - end], axis=1)
        point = chance[:, j] * mass[:, -1]
        interval = (point[:, None] >= mass).sum(axis=1)[:, None]
        below = np.take_along_axis(np.concatenate([edge.astype(np.float64), mass], axis=1), interval, axis=1)
        first = np.take_along_axis(first, interval, axis=1)[:, 0]
        end = np.take_along_axis(end, interval, axis=1)[:, 0]
        level = upward[items - end] + (point - below[:, 0])
        rank = items - np.searchsorted(upward, level, side="right")
        found[:, j] = np.clip(rank, first, end - 1)
    return found


def ragged(counts: Ints) -> tuple[Ints, Ints]:
    """Owner and place (from 0) of each element of sequences of `counts` elements, one after the other."""
    owner = np.repeat(np.arange(counts.size), counts)
    return owner, np.arange(owner.size) - np.repeat(np.cumsum(counts) - counts, counts)


def elapsed(gaps: Floats, place: Ints) -> Floats:
    """Sum of the gaps before each element of its ragged sequence; 0 for the first of each."""
    before = np.cumsum(gaps) - gaps
    starts = np.flatnonzero(place == 0)
    return before - np.repeat(before[starts], np.diff(starts, append=place.size))
