"""Node cost vectors, exact: unit, depth, tokens, or from a file.

A vector has one entry per node, `cost[0] = 0` for the root; entries are ints or Fractions. Solvers work on
the vector scaled to integers (:func:`scaled`) and hand back unscaled values.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import lcm
from pathlib import Path
from typing import Any

import numpy as np

from kvtheory.errors import InputError
from kvtheory.model import PrefixTree, Trace
from kvtheory.offline.result import Number, plain
from kvtheory.specs import rational

NAMED = ("unit", "depth", "tokens")


def node_costs(tree: PrefixTree, cost: str = "unit") -> tuple[Number, ...]:
    """The miss cost of each node: `unit`, `depth` (1 for the root's children), `tokens`, or a file's name.

    Raises:
        InputError: naming file and line, if the file is not a cost file of this tree.
    """
    if cost == "unit":
        return (0, *([1] * tree.n))
    if cost == "depth":
        return tuple(int(d) for d in tree.depth)
    if cost == "tokens":
        return tuple(int(x) for x in tree.tokens)
    return read_costs(cost, tree)


def read_costs(file: str, tree: PrefixTree) -> tuple[Number, ...]:
    """Costs from a file: ints, decimals, or 'p/q', for every node 1..n.

    Formats: a JSON list (node 1 first) or object (node to cost); or text, one node per line, `cost` (line i
    is node i) or `node,cost`; empty lines and lines that start with # are skipped.

    Raises:
        InputError: naming file and line.
    """
    try:
        text = Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"cannot read costs: {error}; known names are {', '.join(NAMED)}", file=file
        ) from None
    entries = _json_entries(text, file) if text.lstrip()[:1] in ("[", "{") else _text_entries(text, file)
    costs: list[Number | None] = [0] + [None] * tree.n
    line = 1
    for line, node, written in entries:
        if not 1 <= node <= tree.n:
            raise InputError(f"node {node} is not one of 1..{tree.n}", file=file, line=line)
        if costs[node] is not None:
            raise InputError(f"node {node} has a second cost", file=file, line=line)
        costs[node] = _number(written, file, line)
    missing = [v for v, c in enumerate(costs) if c is None]
    if missing:
        raise InputError(f"no cost for node {missing[0]} of 1..{tree.n}", file=file, line=line)
    return tuple(c for c in costs if c is not None)


def _number(written: str, file: str, line: int) -> Number:
    try:
        value = plain(rational(written))
    except (ValueError, ZeroDivisionError):
        raise InputError(
            f"{_short(written)} is not an integer or a fraction p/q", file=file, line=line
        ) from None
    if value < 0:
        raise InputError(f"cost {written} is negative", file=file, line=line)
    return value


def _node(written: str, file: str, line: int) -> int:
    if not (written.isascii() and written.isdecimal() and len(written) < 20):
        raise InputError(f"{_short(written)} is not a node", file=file, line=line)
    return int(written)


def _short(written: str) -> str:
    return repr(written if len(written) <= 40 else f"{written[:40]}...")


def _text_entries(text: str, file: str) -> Iterator[tuple[int, int, str]]:
    node = 0
    for line, row in enumerate(text.splitlines(), 1):
        fields = [part.strip() for part in row.split(",")]
        if fields == [""] or row.lstrip().startswith("#"):
            continue
        node += 1
        if len(fields) == 2:
            yield line, _node(fields[0], file, line), fields[1]
        elif len(fields) == 1:
            yield line, node, fields[0]
        else:
            raise InputError(f"{len(fields)} fields; expected cost, or node,cost", file=file, line=line)


def _json_entries(text: str, file: str) -> Iterator[tuple[int, int, str]]:
    """Entries of a JSON list or object with the line each stands on; numbers stay text, never floats."""
    decoder = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str)
    position, node = len(text) - len(text.lstrip()), 0
    closing = "]" if text[position] == "[" else "}"

    def value() -> Any:
        nonlocal position
        _skip()
        found, position = decoder.raw_decode(text, position)
        return found

    def _skip() -> None:
        nonlocal position
        while position < len(text) and text[position].isspace():
            position += 1

    def take(wanted: str) -> bool:
        nonlocal position
        _skip()
        if text[position : position + 1] not in wanted or position >= len(text):
            return False
        position += 1
        return True

    position += 1
    try:
        while not take(closing):
            if node and not take(","):
                raise InputError("expected ',' or the end", file=file, line=_line(text, position))
            node += 1
            key = node
            if closing == "}":
                key = _node(str(value()), file, _line(text, position))
                if not take(":"):
                    raise InputError(f"no ':' after node {key}", file=file, line=_line(text, position))
            found = value()
            if not isinstance(found, str):
                message = f"{_short(json.dumps(found))} is not an integer or a fraction p/q"
                raise InputError(message, file=file, line=_line(text, position))
            yield _line(text, position), key, found
    except json.JSONDecodeError as error:
        raise InputError(f"not JSON: {error.msg}", file=file, line=error.lineno) from None
    except RecursionError:
        raise InputError("nested too deeply", file=file, line=_line(text, position)) from None
    _skip()
    if position < len(text):
        raise InputError("text after the end of the JSON", file=file, line=_line(text, position))


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def scaled(*vectors: Sequence[Number]) -> tuple[int, list[list[int]]]:
    """The least positive integer that makes every entry whole, and the vectors multiplied by it."""
    factor = lcm(*(Fraction(x).denominator for vector in vectors for x in vector))
    return factor, [[int(x * factor) for x in vector] for vector in vectors]


def require_costs(cost: Sequence[Number], size: int, field: str) -> None:
    """Refuse a vector that is not `size` exact numbers, none negative.

    Raises:
        InputError: naming the field and the node.
    """
    if len(cost) != size:
        raise InputError(f"{len(cost)} entries for {size}", field=field)
    for v, x in enumerate(cost):
        if isinstance(x, bool) or not isinstance(x, (int, np.integer, Fraction)):
            raise InputError(f"entry {v} is {x!r}: costs are ints or Fractions, never floats", field=field)
        if x < 0:
            raise InputError(f"entry {v} is {x}: negative", field=field)


def cut_cost(whole: Trace, served: Trace, cost: Sequence[Number]) -> tuple[Number, int]:
    """What :meth:`Trace.cut` left out: the cost of the nodes beyond the capacity, and how many they are.

    Args:
        whole: the trace as given.
        served: what `whole.cut(capacity)` returned.
        cost: miss cost of each node.
    """
    total: Number = 0
    nodes = 0
    for t in np.flatnonzero(whole.requests != served.requests):
        v, stop = int(whole.requests[t]), int(served.requests[t])
        while v != stop:
            total += cost[v]
            nodes += 1
            v = int(whole.tree.parent[v])
    return total, nodes
