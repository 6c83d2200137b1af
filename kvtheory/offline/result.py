"""What every offline solver returns: a value, a bound, and a witness that anyone can replay.

A solver may say `optimal` only through :func:`conclude`, which replays the witness in plain Python, takes the
value from that replay and not from the solver, and compares it with a bound proved in exact arithmetic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from kvtheory.errors import VerificationError

Number = int | Fraction

OPTIMAL, LIMIT, GAP, BOUND = "optimal", "limit", "gap", "bound"


@dataclass(frozen=True)
class Solution:
    """The outcome of one offline solve.

    Attributes:
        value: cost of the witness, as the replayer found it; an int where it is one.
        lower_bound: no schedule costs less; proved in exact arithmetic.
        status: `optimal` (value equals bound), `limit` (time ran out), `gap` (stopped within the requested
            gap), or `bound` (the method only bounds this variant and the bound does not meet the witness).
        misses: nodes that the witness misses.
        victims: for each request, the nodes evicted while it is served, in order.
        method: the solver.
        seconds: wall time, building included.
        workers: the worker of each request, for routing; empty otherwise.
        loads: summed service cost of each worker, for routing; empty otherwise.
    """

    value: Number
    lower_bound: Number
    status: str
    misses: int
    victims: tuple[tuple[int, ...], ...]
    method: str
    seconds: float
    workers: tuple[int, ...] = ()
    loads: tuple[Number, ...] = ()

    def __post_init__(self) -> None:
        if self.lower_bound > self.value:
            raise VerificationError(f"a bound of {self.lower_bound} above a schedule of cost {self.value}")
        if (self.status == OPTIMAL) != (self.lower_bound == self.value):
            raise VerificationError(f"status {self.status} with value {self.value}, bound {self.lower_bound}")

    @property
    def optimal(self) -> bool:
        """Whether the proved bound meets the replayed value exactly."""
        return self.status == OPTIMAL

    @property
    def gap(self) -> Fraction:
        """(value - lower_bound) / value; 0 where the value is 0."""
        return Fraction(self.value - self.lower_bound) / self.value if self.value else Fraction(0)


def plain(x: Number) -> Number:
    """An int where the number is one, a Fraction otherwise."""
    return int(x) if x == int(x) else Fraction(x)


def conclude(
    value: Number,
    lower_bound: Number,
    misses: int,
    victims: Sequence[Sequence[int]],
    *,
    method: str,
    seconds: float,
    otherwise: str,
    workers: Sequence[int] = (),
    loads: Sequence[Number] = (),
) -> Solution:
    """A solution whose status is `optimal` exactly where the bound meets the value, else `otherwise`.

    Raises:
        VerificationError: if the bound exceeds the value: one of the two is wrong.
    """
    return Solution(
        plain(value),
        plain(lower_bound),
        OPTIMAL if value == lower_bound else otherwise,
        misses,
        tuple(tuple(int(v) for v in step) for step in victims),
        method,
        seconds,
        tuple(int(w) for w in workers),
        tuple(plain(x) for x in loads),
    )
