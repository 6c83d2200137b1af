"""Options of what is chosen by name, as its signature declares them: the words after the name in a spec."""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, get_args, get_origin

from kvtheory.errors import InputError

NUMBER = re.compile(r"[+-]?[0-9]{0,1000}(/[0-9]{1,1000}|(\.[0-9]{0,1000})?([eE][+-]?[0-9]{1,3})?)", re.ASCII)
WORDS = {"on": True, "true": True, "off": False, "false": False}


@dataclass(frozen=True)
class Parameter:
    """One parameter: its name, type and default."""

    name: str
    kind: Any
    default: Any

    @property
    def shown(self) -> str:
        """What it may be, in words: a type, or the choices separated by `|`."""
        if get_origin(self.kind) is Literal:
            return "|".join(map(str, get_args(self.kind)))
        return "on|off" if self.kind is bool else getattr(self.kind, "__name__", str(self.kind))


def parameters(function: Callable[..., Any]) -> list[Parameter]:
    """The parameters that a signature declares."""
    hints = typing.get_type_hints(function)
    declared = inspect.signature(function).parameters.values()
    return [Parameter(p.name, hints.get(p.name, str), p.default) for p in declared]


def convert(value: str, kind: Any, spec: str, key: str) -> Any:
    """A value as written, as the type that is declared; a bool is on, off, true or false.

    Raises:
        InputError: naming spec and key, where it is none.
    """
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise InputError(f"'{value}' is not one of {', '.join(get_args(kind))}", file=spec, field=key)
        return value
    if get_origin(kind) in (typing.Union, types.UnionType):
        kind = next(option for option in get_args(kind) if option is not type(None))
    if kind is bool:
        if value not in WORDS:
            raise InputError(f"'{value}' is not on or off", file=spec, field=key)
        return WORDS[value]
    try:
        return kind(value)
    except (ValueError, OverflowError) as error:
        raise InputError(f"'{value}' is not {_article(kind)}", file=spec, field=key) from error


def rational(text: str) -> Fraction:
    """An exact number: `3`, `0.25`, `1e-3` or `1/4`; no exponent so large that the number fills the memory.

    Raises:
        ValueError: if it is none; ZeroDivisionError: for a denominator of 0.
    """
    if not NUMBER.fullmatch(text.strip()):
        raise ValueError(text)
    return Fraction(text)


def _article(kind: Any) -> str:
    return {int: "an integer", float: "a number"}.get(kind, f"a {getattr(kind, '__name__', kind)}")
