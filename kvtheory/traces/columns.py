"""One field of every record: gathered line by line, checked a chunk at a time at C speed.

Only where a chunk fails is it looked at value by value, to say which line is wrong and why. No message
repeats a value from the file.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from array import array
from collections.abc import Iterable
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kvtheory.model import LongArray

INT32_MAX, INT64_MAX = 2**31 - 1, 2**63 - 1
_KINDS = {
    type(None): "null", bool: "a boolean", int: "an integer", float: "a non-integer number",
    str: "a string", list: "a list", dict: "an object",
}  # fmt: skip


class Fault(NamedTuple):
    """What is wrong first in a chunk's column."""

    row: int
    key: str
    message: str


def kind_of(value: object) -> str:
    """What JSON calls a value, with its article."""
    return _KINDS[type(value)]


class Column(ABC):
    """One field.

    Attributes:
        key: its name in the file and in the trace.
        values: the pending chunk, as JSON gave it.
    """

    def __init__(self, key: str) -> None:
        self.key = key
        self.values: list[Any] = []

    def fault(self) -> Fault | None:
        """Return the first fault of the pending chunk, None where there is none."""
        if self._valid():
            return None
        faults = ((row, self._wrong(value)) for row, value in enumerate(self.values))
        return next((Fault(row, self.key, wrong) for row, wrong in faults if wrong), None)

    @abstractmethod
    def _valid(self) -> bool:
        """Whether the whole chunk is right, found without a Python-level loop."""

    @abstractmethod
    def _wrong(self, value: object) -> str:
        """What is wrong with one value; empty if nothing is."""


class StoredColumn(Column):
    """A field that the trace keeps."""

    @abstractmethod
    def keep(self) -> None:
        """Store the pending chunk, which has no fault."""

    @abstractmethod
    def array(self) -> npt.NDArray[np.generic]:
        """Everything stored, shape (N,): float64 seconds for times, else int64."""


class IntegerColumn(StoredColumn):
    """Integers from `minimum` to `maximum`."""

    def __init__(self, key: str, minimum: int = 0, maximum: int = INT64_MAX) -> None:
        super().__init__(key)
        self.minimum, self.maximum = minimum, maximum
        self.data = array("q")

    def _valid(self) -> bool:
        values = self.values
        if not values:
            return True
        return set(map(type, values)) == {int} and self.minimum <= min(values) <= max(values) <= self.maximum

    def _wrong(self, value: object) -> str:
        return integer_fault(value, self.minimum, self.maximum)

    def keep(self) -> None:
        """Store the pending chunk."""
        self.data.extend(self.values)

    def array(self) -> LongArray:
        """The integers stored, int64."""
        return np.array(self.data, dtype=np.int64)


class ConstantColumn(IntegerColumn):
    """A positive integer that is the same in all records: the block size."""

    def __init__(self, key: str, constant: int) -> None:
        super().__init__(key, 1, INT32_MAX)
        self.constant = constant

    def _valid(self) -> bool:
        return super()._valid() and self.values.count(self.constant) == len(self.values)

    def _wrong(self, value: object) -> str:
        if value is None:
            return "missing"
        differs = f"{value}, but {self.constant} before" if value != self.constant else ""
        return super()._wrong(value) or differs


class TimeColumn(StoredColumn):
    """Finite numbers, `unit` to the second."""

    def __init__(self, key: str, unit: int) -> None:
        super().__init__(key)
        self.unit = unit
        self.data = array("d")

    def _valid(self) -> bool:
        if not set(map(type, self.values)) <= {int, float}:
            return False
        try:
            return bool((np.abs(np.array(self.values, dtype=np.float64)) <= INT64_MAX).all())
        except OverflowError:
            return False

    def _wrong(self, value: object) -> str:
        if not isinstance(value, int | float) or isinstance(value, bool):
            return f"{kind_of(value)}, not a number"
        return "" if -INT64_MAX <= value <= INT64_MAX else "not a finite number"

    def keep(self) -> None:
        """Store the pending chunk."""
        self.data.extend(self.values)

    def array(self) -> npt.NDArray[np.float64]:
        """The times stored, float64, in seconds."""
        return np.array(self.data, dtype=np.float64) / self.unit


class NameColumn(StoredColumn):
    """Names of a small set, stored as codes into `names`: the order of first appearance."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.names: dict[str, int] = {}
        self.data = array("q")

    def _valid(self) -> bool:
        return set(map(type, self.values)) <= {str} and all(map(str.isprintable, set(self.values)))

    def _wrong(self, value: object) -> str:
        if not isinstance(value, str):
            return f"{kind_of(value)}, not a string"
        return "" if value.isprintable() else "has characters that cannot be printed"

    def keep(self) -> None:
        """Store the pending chunk."""
        for name in dict.fromkeys(self.values):
            self.names.setdefault(name, len(self.names))
        self.data.extend(map(self.names.__getitem__, self.values))

    def array(self) -> LongArray:
        """The codes stored, int64."""
        return np.array(self.data, dtype=np.int64)


class ListColumn(Column):
    """Lists of integers from `minimum` to `maximum`; nothing is kept, the builder takes each chunk.

    Attributes:
        flat: int64, the pending lists one after the other, once :meth:`fault` found nothing.
    """

    def __init__(self, key: str, minimum: int, maximum: int) -> None:
        super().__init__(key)
        self.minimum, self.maximum = minimum, maximum
        self.flat: LongArray = np.zeros(0, dtype=np.int64)

    def _valid(self) -> bool:
        if not set(map(type, self.values)) <= {list}:
            return False
        flat = list(chain.from_iterable(self.values))
        if not set(map(type, flat)) <= {int}:
            return False
        try:
            self.flat = np.array(array("q", flat), dtype=np.int64)
        except OverflowError:
            return False
        return not flat or bool(self.minimum <= self.flat.min() and self.flat.max() <= self.maximum)

    def _wrong(self, value: object) -> str:
        if not isinstance(value, list):
            return f"{kind_of(value)}, not a list of integers"
        wrong = (integer_fault(element, self.minimum, self.maximum) for element in value)
        return next((f"an element is {fault}" for fault in wrong if fault), "")

    def lengths(self) -> LongArray:
        """Length of each pending list, int64, shape (rows,)."""
        return np.array(list(map(len, self.values)), dtype=np.int64)


def integer_fault(value: object, minimum: int, maximum: int) -> str:
    """What keeps a JSON value from being an integer of a range; empty if nothing does."""
    if not isinstance(value, int) or isinstance(value, bool):
        return f"{kind_of(value)}, not an integer"
    if value < minimum:
        return "negative" if minimum == 0 else f"less than {minimum}"
    return "" if value <= maximum else f"{maximum + 1} or more"


def first_fault(columns: Iterable[Column]) -> Fault | None:
    """The fault of the earliest line."""
    return min((fault for column in columns if (fault := column.fault())), default=None)
