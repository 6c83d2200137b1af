"""Finds policies by looking: every module of `kvtheory.policies`, then entry points of `kvtheory.policies`.

A duplicate name is an error; an unknown name is answered with the nearest known one.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import pkgutil
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import entry_points
from typing import Any, TypeVar

from kvtheory.errors import InputError, KVTheoryError
from kvtheory.policy import Policy

T = TypeVar("T")


def index_by_name(items: Iterable[type[Policy]]) -> dict[str, type[Policy]]:
    """Index policies by name.

    Raises:
        KVTheoryError: if two of them have the same name.
    """
    found: dict[str, type[Policy]] = {}
    for item in items:
        if found.setdefault(item.name, item) is not item:
            raise KVTheoryError(
                f"two policies are named '{item.name}': {found[item.name].__module__} and {item.__module__}"
            )
    return found


def _policies_in_package() -> Iterable[type[Policy]]:
    package = importlib.import_module("kvtheory.policies")
    for info in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{package.__name__}.{info.name}")
        for _, item in inspect.getmembers(module, inspect.isclass):
            if issubclass(item, Policy) and item is not Policy and item.__module__ == module.__name__:
                yield item


@cache
def policies() -> dict[str, type[Policy]]:
    """Every known policy, by name: the package's own, then those of installed plugins."""
    found = _load_plugins("kvtheory.policies")
    for name, item in found.items():
        if not (inspect.isclass(item) and issubclass(item, Policy)):
            raise KVTheoryError(f"entry point '{name}' of kvtheory.policies is not a Policy")
    return index_by_name([*_policies_in_package(), *found.values()])


@cache
def plugins(group: str) -> dict[str, Any]:
    """The entry points of one group (`kvtheory.workloads`, `kvtheory.commands`), loaded once, by name."""
    return _load_plugins(group)


def _load_plugins(group: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for point in entry_points(group=group):
        if point.name in found:
            raise KVTheoryError(f"two entry points of {group} are named '{point.name}'")
        try:
            found[point.name] = point.load()
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise KVTheoryError(
                f"entry point '{point.name}' of {group} cannot be loaded: {reason}"
            ) from error
    return found


def lookup(known: Mapping[str, T], name: str, kind: str) -> T:
    """Find `name`, or say which known name is nearest.

    Raises:
        InputError: if there is no such name.
    """
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(sorted(known))}"
    raise InputError(f"no {kind} is named '{name}'; {hint}")


def select_policies(names: str) -> list[type[Policy]]:
    """Policies named in a comma-separated list, in its order; `all` for every one of them.

    Raises:
        InputError: for an unknown, empty or repeated name.
    """
    known = policies()
    wanted = sorted(known) if names.strip() == "all" else [part.strip() for part in names.split(",")]
    if repeated := {name for name in wanted if wanted.count(name) > 1}:
        raise InputError(f"'{sorted(repeated)[0]}' is named twice", field="policies")
    return [lookup(known, name, "policy") for name in wanted]
