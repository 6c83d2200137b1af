"""Formulas settled by z3 for all values at once, beside the enumerations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from proofs_check.theorem import Note, Row

MILLISECONDS = 60_000


def settle(what: str, formula: Callable[[Any], tuple[list[Any], Any]]) -> Iterator[Row | Note]:
    """A row that counts counterexamples: 0 if z3 refutes the hypotheses with the negated conclusion.

    Hypotheses that contradict each other, and formulas that z3 cannot decide, count as one counterexample.

    Args:
        what: the formula in words, with the domain of its variables.
        formula: from the module z3, the hypotheses and the conclusion.
    """
    try:
        import z3
    except ImportError:
        yield Note(
            f"z3 is not installed (pip install 'kvtheory[proofs]'): not settled for all values: {what}"
        )
        return
    hypotheses, conclusion = formula(z3)
    possible, negated = z3.Solver(), z3.Solver()
    for solver in (possible, negated):
        solver.set("timeout", MILLISECONDS)
        solver.add(*hypotheses)
    negated.add(z3.Not(conclusion))
    settled = possible.check() == z3.sat and negated.check() == z3.unsat
    yield Row(f"z3, {what}: counterexamples", 0 if settled else 1, "==", 0, 1, "z3")
