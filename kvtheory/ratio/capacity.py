"""Capacities as people write them: `2000`, or a share of the distinct nodes such as `2.5%`."""

from __future__ import annotations

import re
from fractions import Fraction

from kvtheory.errors import InputError

WRITTEN = re.compile(r"(?P<number>-?[0-9]{1,30}(\.[0-9]{1,30})?)(?P<percent>%?)")


def parse_capacities(text: str, nodes: int) -> list[int]:
    """Read a comma-separated list of capacities.

    Args:
        text: counts or percentages; x% is `max(1, floor(x * nodes / 100))`.
        nodes: distinct nodes of the trace.

    Raises:
        InputError: for anything that is not a positive count or percentage.
    """
    return [_parse(part.strip(), nodes) for part in text.split(",")]


def _parse(part: str, nodes: int) -> int:
    written = WRITTEN.fullmatch(part)
    if not written:
        raise InputError(f"'{part}' is neither a count nor a percentage", field="capacity")
    value = Fraction(written["number"])
    if written["percent"]:
        capacity = max(1, int(value * nodes / 100))
    elif value.denominator == 1:
        capacity = int(value)
    else:
        raise InputError(f"'{part}' is not a whole count", field="capacity")
    if value <= 0:
        raise InputError(f"'{part}' is not positive", field="capacity")
    return capacity
