"""Altering certificates, one place at a time, for the tests of the verifier."""

import json
from fractions import Fraction

from proofs_check.verify import Malformed, Rejected, verify


def copy(certificate):
    return json.loads(json.dumps(certificate))


def verdict(certificate):
    """What the verifier says: accepted, Rejected or Malformed; anything else that it raises is its bug."""
    try:
        verify(certificate)
    except (Malformed, Rejected) as error:
        return type(error).__name__
    return "accepted"


def leaves(value, path=()):
    """Every place that holds no other: (path, value)."""
    if isinstance(value, dict):
        for key in value:
            yield from leaves(value[key], (*path, key))
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from leaves(inner, (*path, i))
    else:
        yield path, value


def put(certificate, path, value):
    at = certificate
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value


def text(x):
    x = Fraction(x)
    return f"{x.numerator}/{x.denominator}"


def variants(value):
    """Other values of the same kind."""
    if isinstance(value, int):
        return [value + 1, value - 1, 0, 1 << 40]
    if isinstance(value, str) and "/" in value and value.replace("/", "").removeprefix("-").isdigit():
        x = Fraction(value)
        return [text(y) for y in (x + 1, x - 1, x + Fraction(1, 7), x / 2)]
    if value is None:
        return [{}, [], 0]
    return ["lru", "rlt", "best-deterministic", "best-randomized", "inf", "lower", "upper", "exact", ""]
