"""What a theorem file holds: a statement, its kind, and checks that return (computed, claimed) rows."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

Number = int | Fraction
Size = Mapping[str, int]


class Kind(enum.Enum):
    """What is known of a statement.

    PROVED: there is a proof for every size, and the checks agree with it.
    VERIFIED: no proof; it holds on everything that was enumerated.
    BOUND: a proved inequality that is not known to be tight.
    REFUTED: what one would expect is false; the checks compute the counterexample.
    """

    PROVED = "proved and checked"
    VERIFIED = "verified to size"
    BOUND = "bound"
    REFUTED = "refuted"


class Effort(enum.IntEnum):
    """How far a check goes: `QUICK` in CI, `STANDARD` by default, `DEEP` by hand."""

    QUICK = 0
    STANDARD = 1
    DEEP = 2


@dataclass(frozen=True)
class Row:
    """One comparison, decided in exact arithmetic.

    Attributes:
        what: the instances it covers, in words.
        computed: what the machine found.
        relation: how `computed` must stand to `claimed`: `==`, `<=` or `>=`.
        claimed: what the theorem says.
        instances: how many instances were enumerated or drawn; 1 for a formula settled by z3.
        by: `enumeration`, or `z3` where a formula was settled for all values at once.
    """

    what: str
    computed: Number
    relation: str
    claimed: Number
    instances: int
    by: str = "enumeration"

    @property
    def holds(self) -> bool:
        """Whether the comparison is true, and about something."""
        if self.instances < 1:
            return False
        if self.relation == "==":
            return self.computed == self.claimed
        if self.relation == "<=":
            return self.computed <= self.claimed
        if self.relation == ">=":
            return self.computed >= self.claimed
        raise ValueError(f"unknown relation {self.relation}")


@dataclass(frozen=True)
class Note:
    """Something a reader of the rows must know: a check that was left out, and why."""

    text: str


Check = Callable[[Size], Iterator[Row | Note]]


@dataclass(frozen=True)
class Theorem:
    """A statement and the check that holds it to small cases.

    Attributes:
        statement: the theorem, in one to three sentences.
        kind: what is known of it.
        covers: items of the list of facts in docs/theory/theorems.rst that it belongs to.
        where: the page with its proof or counterexample.
        sizes: how large the instances of the check are, by name: quick, standard, deep.
        scope: the sizes in words, with every name of `sizes` in braces.
        check: yields rows and notes; must not depend on anything but the sizes.
    """

    statement: str
    kind: Kind
    covers: tuple[int, ...]
    where: str
    sizes: Mapping[str, tuple[int, int, int]]
    scope: str
    check: Check

    def size(self, effort: Effort) -> dict[str, int]:
        """The sizes of one effort."""
        return {name: values[effort] for name, values in self.sizes.items()}

    def checked_up_to(self, effort: Effort) -> str:
        """The sizes of one effort, in words."""
        return self.scope.format(**{name: f"{value:,}" for name, value in self.size(effort).items()})

    def outcome(self, effort: Effort) -> tuple[list[Row], list[str]]:
        """Run the check: its rows, and the text of its notes."""
        found = list(self.check(self.size(effort)))
        return [x for x in found if isinstance(x, Row)], [x.text for x in found if isinstance(x, Note)]
