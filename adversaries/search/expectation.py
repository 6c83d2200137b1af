"""Expected misses of a policy on one file, in integers: exactly, or with chances rounded down."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import gcd, lcm

from adversaries.search.tables import Outcomes, PolicyTable

LARGEST = 10**40
BITS, DECIMALS = 160, 10**12


def _served(table: PolicyTable, states: Sequence[int], r: int) -> list[Outcomes]:
    for state in states:
        if (state, r) not in table.exact:
            table.explore(state, r)
    return [table.exact[state, r] for state in states]


def expected_misses(table: PolicyTable, requests: Sequence[int]) -> Fraction | None:
    """The exact expectation; None where a denominator on the way exceeds 10**40.

    Args:
        table: the policy.
        requests: request numbers of the whole file.
    """
    weight, total, paid = {0: 1}, 1, Fraction(0)
    for r in requests:
        served = _served(table, list(weight), r)
        common = lcm(*(whole for _, whole, _ in served))
        misses, after = 0, dict[int, int]()
        for mass, (missed, whole, reached) in zip(weight.values(), served, strict=True):
            misses += mass * missed
            for to, part in reached:
                after[to] = after.get(to, 0) + mass * (common // whole) * part
        paid += Fraction(misses, total)
        divisor = gcd(*after.values())
        weight, total = {to: mass // divisor for to, mass in after.items()}, total * common // divisor
        if max(total, paid.denominator) > LARGEST:
            return None
    return paid


def least_misses(table: PolicyTable, requests: Sequence[int]) -> Fraction:
    """A lower bound on the expectation, a multiple of 1e-12: chances are kept to 160 bits and rounded down.

    It is off by less than 1e-12 and 2**-160 for each request, each state in reach and each request after it.
    """
    weight, paid = {0: 1 << BITS}, 0
    for r in requests:
        after = dict[int, int]()
        for mass, (missed, whole, reached) in zip(
            weight.values(), _served(table, list(weight), r), strict=True
        ):
            paid += mass * missed
            for to, part in reached:
                after[to] = after.get(to, 0) + mass * part // whole
        weight = after
    return Fraction(paid * DECIMALS >> BITS, DECIMALS)
