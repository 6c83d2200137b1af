"""Where requests come from: a trace file, standard input, or a workload spec such as `gsp:groups=8`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Literal

from kvtheory.errors import InputError
from kvtheory.model import Trace
from kvtheory.registry import lookup, modules, plugins, unique
from kvtheory.specs import convert, parameters

Generator = Callable[..., Trace]


@cache
def workloads() -> dict[str, Generator]:
    """Installed workload generators, by name.

    An entry point of `kvtheory.workloads` is a generator, or a package whose modules are looked through: one
    that holds a function of its own name is a workload.

    Raises:
        InputError: if an entry point cannot be loaded or is neither, or two have the same name.
    """
    found: list[tuple[str, Generator]] = []
    for name, item in plugins("kvtheory.workloads").items():
        if inspect.ismodule(item) and hasattr(item, "__path__"):
            found += [(stem, vars(module)[stem]) for stem, module in modules(item) if stem in vars(module)]
        elif callable(item):
            found.append((name, item))
        else:
            raise InputError(f"entry point '{name}' of kvtheory.workloads is neither function nor package")
    return unique(found, "workloads")


def generate(spec: str) -> Trace:
    """Make the trace that a spec `name` or `name:key=value,key=value` describes.

    Raises:
        InputError: for an unknown workload or parameter, or a value of the wrong type or range.
    """
    name, _, rest = spec.partition(":")
    generator = lookup(workloads(), name, "workload")
    known = {parameter.name: parameter for parameter in parameters(generator)}
    arguments: dict[str, Any] = {}
    for part in _parts(rest, spec):
        key, _, value = part.partition("=")
        parameter = lookup(known, key, f"parameter of {name}")
        if key in arguments:
            raise InputError("given twice", file=spec, field=key)
        arguments[key] = convert(value, parameter.kind, spec, key)
    try:
        return generator(**arguments)
    except InputError as error:
        raise InputError(str(error), file=spec) from error
    except (ValueError, OverflowError, TypeError, MemoryError) as error:
        raise InputError(f"cannot be made: {error or 'too large'}", file=spec) from error


def _parts(rest: str, spec: str) -> list[str]:
    """The key=value parts of a spec; a value may hold commas itself, as the parents of `tree=0,0,1`."""
    parts: list[str] = []
    for part in filter(None, rest.split(",")):
        if "=" in part:
            parts.append(part)
        elif parts:
            parts[-1] += f",{part}"
        else:
            raise InputError(f"'{part}' is not key=value", file=spec)
    return parts


def open_source(source: str, *, on_conflict: Literal["refuse", "split"] = "refuse") -> Trace:
    """Read a trace file (`-` for standard input) or make a workload.

    Raises:
        InputError: if it is neither, or its content is wrong.
    """
    from kvtheory.traces import read_trace

    if source == "-" or _exists(source) or not _names_a_workload(source):
        return read_trace(source, on_conflict=on_conflict)
    return generate(source)


def _exists(source: str) -> bool:
    try:
        return Path(source).exists()
    except (OSError, ValueError):  # too long, or with a NUL: no file
        return False


def _names_a_workload(source: str) -> bool:
    """Whether it is written as a workload rather than as a path: to word the error where it is neither."""
    name = source.partition(":")[0]
    return name in workloads() or not ({"/", "\\", "."} & set(name))
