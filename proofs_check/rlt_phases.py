"""RLT: what a phase costs, given the cache it starts with."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from proofs_check.instances import random_instances
from proofs_check.phases import account
from proofs_check.theorem import Kind, Row, Size, Theorem


def check(size: Size) -> Iterator[Row]:
    """Exact expectations on random instances, every draw of the reference engine taken in turn."""
    excess, cases = Fraction(-1), 0
    for instance in random_instances(0, size["drawn"], nodes=size["nodes"], length=size["length"]):
        excess = max(excess, account(instance)[2])
        cases += 1
    yield Row("random: largest E[misses in a phase | S] - c H_max(1, leaves(S))", excess, "<=", 0, cases)


THEOREM = Theorem(
    statement="In a phase that starts with cache S, RLT misses at most c H_max(1, leaves(S)) in "
    "expectation, c the requested nodes not in S.",
    kind=Kind.PROVED,
    covers=(7,),
    where="docs/theory/rlt.rst",
    sizes={"drawn": (150, 700, 4000), "nodes": (6, 6, 7), "length": (14, 14, 18)},
    scope="{drawn} random instances of at most {nodes} nodes and {length} requests",
    check=check,
)
