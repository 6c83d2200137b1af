"""Capacities as people write them: `2000`, or a share of the distinct nodes such as `2.5%`."""

from __future__ import annotations

from fractions import Fraction

from kvtheory.errors import InputError


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
    percent = part.endswith("%")
    number = part[:-1] if percent else part
    try:
        if not number or "/" in number or len(number) > 20:
            raise ValueError
        value = Fraction(number) if percent else Fraction(int(number))
    except (ValueError, OverflowError) as error:
        raise InputError(f"'{part}' is neither a count nor a percentage", field="capacity") from error
    if value <= 0:
        raise InputError(f"'{part}' is not positive", field="capacity")
    if percent:
        return max(1, int(value * nodes / 100))
    return min(int(value), 2**31 - 1)
