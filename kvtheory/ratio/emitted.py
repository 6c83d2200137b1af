"""Reads an algorithm that `--emit-policy` wrote, and believes nothing that it says.

OPT's work functions are derived anew from the tree, the capacity and the requestable nodes; the file's must
be those, in the order of discovery. What is left to the file are distributions, couplings, potentials and
the ratio, and :meth:`RandomizedPolicy.check` holds them to each other in Fractions. So whoever wrote the
file, the ratio it is read with is proved.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from kvtheory.errors import InputError, LimitError, VerificationError
from kvtheory.model import PrefixTree
from kvtheory.ratio.instance import Instance
from kvtheory.ratio.minimax_policy import SCHEMA, RandomizedPolicy
from kvtheory.ratio.rational_lp import Coupling
from kvtheory.ratio.work_function import WorkFunctions, work_functions

FIELDS = ("schema", "tree", "capacity", "requestable", "ratio", "work_functions")
RATIONAL = re.compile(r"-?[0-9]{1,1000}/[0-9]{1,1000}")
LARGEST_FILE = 1 << 28


def read_emitted(file: str) -> RandomizedPolicy:
    """The algorithm in a file, checked.

    Raises:
        InputError: if the file cannot be read, is malformed, or does not prove its ratio.
    """
    found = _Fields(file, _load(file))
    if found.text("schema") != SCHEMA:
        raise found.wrong("schema", f"is not {SCHEMA}")
    if unknown := set(found.values) - set(FIELDS):
        raise found.wrong(sorted(unknown)[0], "is no field of an emitted policy")
    try:
        tree = PrefixTree.from_parents(found.integers("tree"))
        instance = Instance.of(tree, found.integer("capacity"), found.integers("requestable"))
        listed = found.entries("work_functions")
        works = work_functions(instance, max(len(listed), 1))
    except (InputError, OverflowError) as error:
        raise InputError(str(error), file=file) from None
    except LimitError:
        raise found.wrong("work_functions", "are fewer than OPT has, or too many") from None
    if len(works) != len(listed):
        raise found.wrong("work_functions", f"are {len(listed)}, and OPT has {len(works)}")
    if list(instance.requestable) != found.integers("requestable"):
        raise found.wrong("requestable", "is not ascending")
    read = [_WorkFunction(f"{file}, work function {q}", raw, works, q) for q, raw in enumerate(listed)]
    policy = RandomizedPolicy(
        works,
        found.rational("ratio"),
        [row.distribution for row in read],
        [row.rational("potential") for row in read],
        [row.loads for row in read],
        [row.coupling for row in read],
    )
    try:
        policy.check()
    except VerificationError as error:
        raise InputError(f"does not prove its ratio: {error}", file=file) from None
    return policy


def _load(file: str) -> Any:
    try:
        with Path(file).open(encoding="utf-8") as stream:
            text = stream.read(LARGEST_FILE + 1)
        if len(text) > LARGEST_FILE:
            raise InputError("too large for an emitted policy", file=file)
        return json.loads(text)
    except OSError as error:
        raise InputError.of(error, file) from None
    except (ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError("is not JSON", file=file) from None


class _Fields:
    """One JSON object, read field by field; every fault names the place and the field."""

    def __init__(self, where: str, values: Any) -> None:
        self.where = where
        if not isinstance(values, dict):
            raise InputError("is not a JSON object", file=where)
        self.values: dict[str, Any] = values

    def wrong(self, field: str, message: str) -> InputError:
        return InputError(message, file=self.where, field=field)

    def get(self, field: str) -> Any:
        if field not in self.values:
            raise self.wrong(field, "is missing")
        return self.values[field]

    def text(self, field: str) -> str:
        value = self.get(field)
        if not isinstance(value, str):
            raise self.wrong(field, "is not a string")
        return value

    def integer(self, field: str) -> int:
        value = self.get(field)
        if not _is_integer(value):
            raise self.wrong(field, "is not an integer")
        return int(value)

    def entries(self, field: str) -> list[Any]:
        value = self.get(field)
        if not isinstance(value, list):
            raise self.wrong(field, "is not a list")
        return value

    def integers(self, field: str) -> list[int]:
        values = self.entries(field)
        if not all(map(_is_integer, values)):
            raise self.wrong(field, "is not a list of integers")
        return values

    def rational(self, field: str) -> Fraction:
        return self.as_rational(field, self.get(field))

    def as_rational(self, field: str, value: Any) -> Fraction:
        if not isinstance(value, str) or not RATIONAL.fullmatch(value) or not int(value.split("/")[1]):
            raise self.wrong(field, "is not a rational p/q")
        return Fraction(value)


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 31


class _WorkFunction(_Fields):
    """What a file says of one work function."""

    def __init__(self, where: str, values: Any, works: WorkFunctions, q: int) -> None:
        super().__init__(where, values)
        self.works = works
        self.distribution: dict[int, Fraction] = {}
        for state, chance in self._rows("distribution", self.entries("distribution"), 2):
            at = self._state("distribution", state)
            if at in self.distribution:
                raise self.wrong("distribution", f"has the state {state} twice")
            self.distribution[at] = self._chance("distribution", chance)
        self.loads: list[Fraction] = []
        self.coupling: list[Coupling] = []
        rows = self.entries("requests")
        requestable = works.instance.requestable
        if len(rows) != len(requestable):
            raise self.wrong("requests", f"are {len(rows)}, not {len(requestable)}")
        for r, raw in enumerate(rows):
            row = _Fields(f"{where}, request {r}", raw)
            for field, expected in (
                ("node", requestable[r]),
                ("next", int(works.next[q, r])),
                ("opt_increase", int(works.increase[q, r])),
            ):
                if row.integer(field) != expected:
                    raise row.wrong(field, f"is {row.integer(field)}, not {expected}")
            self.loads.append(row.rational("loads"))
            self.coupling.append(self._moves(row))

    def _moves(self, row: _Fields) -> Coupling:
        found: Coupling = {}
        for before, after, chance in self._rows("moves", row.entries("moves"), 3):
            pair = self._state("moves", before), self._state("moves", after)
            if pair in found:
                raise row.wrong("moves", f"has the move {before} to {after} twice")
            found[pair] = self._chance("moves", chance)
        return found

    def _rows(self, field: str, entries: list[Any], size: int) -> Iterator[list[Any]]:
        if not entries:
            raise self.wrong(field, "is empty")
        for entry in entries:
            if not isinstance(entry, list) or len(entry) != size:
                raise self.wrong(field, f"has an entry that is not a list of {size}")
            yield entry

    def _state(self, field: str, nodes: Any) -> int:
        n = self.works.instance.tree.n
        if not isinstance(nodes, list) or not all(_is_integer(v) and 1 <= v <= n for v in nodes):
            raise self.wrong(field, "has a cache state that is not a list of nodes")
        mask = sum(1 << v - 1 for v in set(nodes))
        if len(set(nodes)) < len(nodes) or mask not in self.works.instance.index:
            raise self.wrong(field, f"{nodes} is no cache state")
        return self.works.instance.index[mask]

    def _chance(self, field: str, value: Any) -> Fraction:
        chance = self.as_rational(field, value)
        if chance <= 0:
            raise self.wrong(field, f"the probability {value} is not positive")
        return chance
