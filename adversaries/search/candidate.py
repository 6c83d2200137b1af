"""What the methods pass around: a prefix and a cycle, the best of them so far, and the budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from adversaries.search.score import Judge, Score

Words = tuple[int, ...]


class BudgetSpent(Exception):  # noqa: N818 - the way a method ends, not a fault
    """No evaluation is left."""


@dataclass(eq=False)
class Hunt:
    """One search: a judge, the length of the file, and what was found.

    Attributes:
        judge: scores candidates.
        length: requests of the file.
        evaluations: how many candidates may be scored.
        spent: how many were.
        prefix, cycle: of the best, as request numbers.
        best: its score; None before the first.
        walked: requests that were walked beside whole files, less than one file of them not yet charged.
        curve: (evaluations spent, ratio) at each improvement.
    """

    judge: Judge
    length: int
    evaluations: int
    spent: int = 0
    prefix: Words = ()
    cycle: Words = (0,)
    best: Score | None = None
    walked: int = 0
    curve: list[tuple[int, float]] = field(default_factory=list)

    def score(self, prefix: Sequence[int], cycle: Sequence[int]) -> float:
        """The ratio of one file; the best is kept.

        Raises:
            BudgetSpent: if no evaluation is left.
        """
        if self.spent >= self.evaluations:
            raise BudgetSpent
        self.spent += 1
        found = self.judge.score(prefix, cycle, self.length)
        if self.best is None or found.ratio > self.best.ratio:
            self.best, self.prefix, self.cycle = found, tuple(prefix), tuple(cycle)
            self.curve.append((self.spent, found.ratio))
        return found.ratio

    def charge(self, requests: int) -> None:
        """Count requests that were walked outside a file: `length` of them are one evaluation.

        Raises:
            BudgetSpent: if no evaluation is left.
        """
        files, self.walked = divmod(self.walked + requests, self.length)
        self.spent = min(self.spent + files, self.evaluations)
        if self.spent == self.evaluations:
            raise BudgetSpent
