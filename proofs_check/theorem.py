"""What a theorem file holds: a statement, its status, and checks that return (computed, claimed) rows."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

Number = int | Fraction


class Effort(enum.Enum):
    """How far a check goes: `quick` in CI, `deep` by hand."""

    QUICK = "quick"
    DEEP = "deep"


@dataclass(frozen=True)
class Row:
    """One comparison, decided in exact arithmetic.

    Attributes:
        what: the instances it covers, in words.
        computed: what the machine found.
        relation: how `computed` must stand to `claimed`: `==`, `<=` or `>=`.
        claimed: what the theorem says.
        instances: how many instances were enumerated or drawn.
    """

    what: str
    computed: Number
    relation: str
    claimed: Number
    instances: int

    @property
    def holds(self) -> bool:
        """Whether the comparison is true."""
        if self.relation == "==":
            return self.computed == self.claimed
        if self.relation == "<=":
            return self.computed <= self.claimed
        if self.relation == ">=":
            return self.computed >= self.claimed
        raise ValueError(f"unknown relation {self.relation}")


@dataclass(frozen=True)
class Theorem:
    """A statement and the check that holds it to small cases.

    Attributes:
        statement: the theorem, in one or two sentences.
        status: proved, verified, conjecture or false.
        where: where its proof or counterexample is written down.
        check: yields rows; must not depend on anything but its effort.
    """

    statement: str
    status: str
    where: str
    check: Callable[[Effort], Iterator[Row]]
