"""A schedule as JSON Lines, and the check of one that a stranger hands in.

The first line says what is claimed::

    {"schema": "kvtheory-witness/1", "capacity": 2, "bypass": false, "parents": [0, 0, 1],
     "cost": "unit", "requests": 3, "value": 5, "misses": 5}

`parents` are those of nodes 1..n (0 is the root), `cost` is `"unit"` or one number per node, numbers are
integers or "p/q". One line per request follows, with what is evicted while it is served, in order::

    {"request": 3, "evict": [2]}

A path longer than the capacity is served up to its first `capacity` nodes and pays for the rest. A witness
proves that a schedule of this value exists; that none is cheaper is the solver's lower bound, not the file's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from kvtheory.atomic import atomic_write
from kvtheory.errors import InputError, VerificationError
from kvtheory.model import Trace
from kvtheory.offline.result import Number, Solution, plain
from kvtheory.offline.witness import replay_schedule

SCHEMA = "kvtheory-witness/1"
LONGEST_NUMBER = 1000
LONGEST_LINE = 1 << 28
FIELDS = ("schema", "capacity", "bypass", "parents", "cost", "requests", "value", "misses")


def write_witness(
    path: Path,
    trace: Trace,
    capacity: int,
    solution: Solution,
    *,
    bypass: bool,
    cost: Sequence[Number] | None,
) -> None:
    """Write a solution's schedule, whole or not at all.

    Args:
        path: the file.
        trace: the requests as given, not cut.
        capacity: nodes the cache holds.
        solution: its value counts what the cut left out.
        bypass: whether the schedule may drop the path it serves.
        cost: miss cost of each node, `cost[0]` unused; None for 1 each.
    """
    claim = {
        "schema": SCHEMA,
        "capacity": capacity,
        "bypass": bypass,
        "parents": trace.tree.parent[1:].tolist(),
        "cost": "unit" if cost is None else [written(x) for x in cost[1:]],
        "requests": len(trace),
        "value": written(solution.value),
        "misses": solution.misses,
    }
    with atomic_write(path, "w") as stream:
        stream.write(json.dumps(claim) + "\n")
        for v, evicted in zip(trace.requests.tolist(), solution.victims, strict=True):
            stream.write(json.dumps({"request": v, "evict": list(evicted)}) + "\n")


def written(x: Number) -> int | str:
    """A number as the JSON contract writes it: an int, or "p/q"."""
    value = plain(x)
    return value if isinstance(value, int) else f"{value.numerator}/{value.denominator}"


def verify_witness(path: Path) -> dict[str, Any]:
    """Replay a witness file in plain Python and compare it with its claim.

    Returns:
        What was verified: requests, capacity, misses and value.

    Raises:
        InputError: if the file is not a witness: file, line and field are named.
        VerificationError: if the schedule breaks a rule or does not cost what is claimed.
    """
    lines = _objects(path)
    number, claim = next(lines, (1, {}))
    capacity, parents, cost = _read_claim(path, number, claim)
    requests, victims, beyond, beyond_cost = [], [], 0, Fraction(0)
    for number, step in lines:
        v = _integer(path, number, step, "request", 0, len(parents) - 1)
        evicted = step.get("evict")
        if not isinstance(evicted, list) or not all(type(u) is int for u in evicted):
            raise InputError("is not a list of nodes", file=str(path), line=number, field="evict")
        top, missed = _cut(parents, v, capacity)
        requests.append(top)
        victims.append(evicted)
        beyond += len(missed)
        beyond_cost += sum(Fraction(cost[u]) if cost else 1 for u in missed)
    if len(requests) != claim["requests"]:
        raise VerificationError(f"{path}: holds {len(requests)} requests, not {claim['requests']}")
    replayed = replay_schedule(parents, requests, capacity, victims, bypass=claim["bypass"], miss_cost=cost)
    misses = replayed.misses + beyond
    value = plain(Fraction(sum(replayed.costs)) + beyond_cost)
    if misses != claim["misses"]:
        raise VerificationError(f"{path}: misses {misses} nodes, not {claim['misses']}")
    if value != _rational(path, 1, claim["value"], "value"):
        raise VerificationError(f"{path}: costs {written(value)}, not {claim['value']}")
    return {"requests": len(requests), "capacity": capacity, "misses": misses, "value": written(value)}


def _read_claim(path: Path, line: int, claim: dict[str, Any]) -> tuple[int, list[int], list[Number] | None]:
    for field in FIELDS:
        if field not in claim:
            raise InputError("missing", file=str(path), line=line, field=field)
    if claim["schema"] != SCHEMA:
        raise InputError(f"is not {SCHEMA}", file=str(path), line=line, field="schema")
    if not isinstance(claim["bypass"], bool):
        raise InputError("is not true or false", file=str(path), line=line, field="bypass")
    capacity = _integer(path, line, claim, "capacity", 1, None)
    for field in ("misses", "requests"):
        _integer(path, line, claim, field, 0, None)
    parents = claim["parents"]
    if not isinstance(parents, list) or not all(
        type(p) is int and 0 <= p <= v for v, p in enumerate(parents)
    ):
        raise InputError("is not a list of earlier nodes", file=str(path), line=line, field="parents")
    if claim["cost"] == "unit":
        return capacity, [-1, *parents], None
    if not isinstance(claim["cost"], list) or len(claim["cost"]) != len(parents):
        raise InputError("is neither 'unit' nor one number per node", file=str(path), line=line, field="cost")
    cost = [0, *(_rational(path, line, x, "cost") for x in claim["cost"])]
    if min(cost) < 0:
        raise InputError("is negative", file=str(path), line=line, field="cost")
    return capacity, [-1, *parents], cost


def _cut(parents: Sequence[int], v: int, capacity: int) -> tuple[int, list[int]]:
    """The node at which a path is cut, and the nodes below it."""
    path = []
    while v != 0:
        path.append(v)
        v = parents[v]
    below = path[: max(0, len(path) - capacity)]
    served = path[len(below) :]
    return (served[0] if served else 0), below


def _integer(path: Path, line: int, found: dict[str, Any], field: str, low: int, high: int | None) -> int:
    value = found.get(field)
    if type(value) is not int or value < low or (high is not None and value > high):
        limit = f"{low}..{high}" if high is not None else f"{low} or more"
        raise InputError(f"is not an integer, {limit}", file=str(path), line=line, field=field)
    return value


def _rational(path: Path, line: int, value: object, field: str) -> Number:
    try:
        if type(value) is int:
            return value
        if isinstance(value, str) and len(value) <= LONGEST_NUMBER and "/" in value:
            top, _, bottom = value.partition("/")
            return plain(Fraction(int(top), int(bottom)))
    except (ValueError, ZeroDivisionError):
        pass
    raise InputError("is neither an integer nor 'p/q'", file=str(path), line=line, field=field)


def _objects(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line number and object of every line."""
    try:
        with path.open(encoding="utf-8") as stream:
            lines = iter(lambda: stream.readline(LONGEST_LINE + 1), "")
            for number, line in enumerate(lines, start=1):
                if len(line) > LONGEST_LINE:
                    raise InputError("a line of over 2**28 characters", file=str(path), line=number)
                try:
                    found = json.loads(line)
                except (ValueError, RecursionError):
                    raise InputError("not a JSON object", file=str(path), line=number) from None
                if not isinstance(found, dict):
                    raise InputError("not a JSON object", file=str(path), line=number)
                yield number, found
    except OSError as error:
        raise InputError.of(error, path) from None
    except UnicodeDecodeError:
        raise InputError("not UTF-8 text", file=str(path)) from None
