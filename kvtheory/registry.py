"""Finds what has a name by looking: every module of its package, then the entry points of its group.

So a policy, a router or a trace format is one file, here or in another distribution. A duplicate name is an
error; an unknown name is answered with the nearest known one. `every_policy` knows both kinds of policy,
`policies` those written as columns, which every engine can run.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, partial
from importlib.metadata import entry_points
from math import isfinite
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from kvtheory.errors import InputError
from kvtheory.object_policy import AnyPolicy, ObjectPolicy
from kvtheory.policy import Described, Policy
from kvtheory.router import Router
from kvtheory.specs import Parameter, convert, parameters

if TYPE_CHECKING:
    from kvtheory.router import View

T = TypeVar("T")


class HasName(Protocol):
    """What is found by its name."""

    name: ClassVar[str]


Named = TypeVar("Named", bound=HasName)


def unique(found: Iterable[tuple[str, T]], plural: str) -> dict[str, T]:
    """Index by name.

    Raises:
        InputError: if two have the same name.
    """
    known: dict[str, T] = {}
    for name, item in found:
        if known.setdefault(name, item) is not item:
            places = " and ".join(str(getattr(one, "__module__", one)) for one in (known[name], item))
            raise InputError(f"two {plural} are named '{name}': {places}")
    return known


def modules(package: ModuleType) -> Iterator[tuple[str, ModuleType]]:
    """The modules of a package with their names in it; not its folders, nor what begins with `_`."""
    for info in pkgutil.iter_modules(package.__path__):
        if not (info.ispkg or info.name.startswith("_")):
            yield info.name, importlib.import_module(f"{package.__name__}.{info.name}")


def known_classes(plural: str, base: type[Named], package: str) -> dict[str, type[Named]]:
    """The classes below `base` by name: those of a package, then those of the entry points.

    Args:
        plural: what they are called; their entry points are the group `kvtheory.PLURAL`.
        base: what they inherit from; abstract classes are none of them.
        package: where to look.

    Raises:
        InputError: if an entry point cannot be loaded or is something else, or two have the same name.
    """
    group = f"kvtheory.{plural}"
    found = _load_plugins(group)
    for name, item in found.items():
        if not (inspect.isclass(item) and issubclass(item, base)):
            raise InputError(f"entry point '{name}' of {group} is not a {base.__name__}")
        if inspect.isabstract(item):
            lacking = ", ".join(sorted(item.__abstractmethods__))
            raise InputError(f"entry point '{name}' of {group} does not define {lacking}")
    own = (
        item
        for _, module in modules(importlib.import_module(package))
        for _, item in inspect.getmembers(module, inspect.isclass)
        if issubclass(item, base) and item.__module__ == module.__name__ and not inspect.isabstract(item)
    )
    return unique(((item.name, item) for item in (*own, *found.values())), plural.replace("_", " "))


@cache
def every_policy() -> dict[str, AnyPolicy]:
    """Every known policy, by name: the package's own, then those of installed plugins."""
    found = known_classes("policies", Described, "kvtheory.policies")
    return {name: item for name, item in found.items() if issubclass(item, Policy | ObjectPolicy)}


@cache
def policies() -> dict[str, type[Policy]]:
    """The policies that are written as columns, by name."""
    return {name: item for name, item in every_policy().items() if issubclass(item, Policy)}


def policy_with_columns(name: str, others: Iterable[str] = ()) -> type[Policy]:
    """The policy written as columns that is called `name`.

    Args:
        name: as it was asked for.
        others: what else could have been meant, for the error.

    Raises:
        InputError: if there is none, or it is an object.
    """
    known: dict[str, AnyPolicy | None] = {**dict.fromkeys(others), **every_policy()}
    found = lookup(known, name, "policy")
    if found is None or not issubclass(found, Policy):
        raise InputError(
            f"'{name}' has memory of its own, not columns: only ratio, sweep and vLLM run it",
            field="policy",
        )
    return found


@cache
def routers() -> dict[str, type[Router]]:
    """Every known router, by name: the package's own, then those of installed plugins."""
    return known_classes("routers", Router, "kvtheory.routers")


@cache
def plugins(group: str) -> dict[str, Any]:
    """The entry points of one group (`kvtheory.workloads`, `kvtheory.commands`), loaded once, by name.

    Raises:
        InputError: if one cannot be loaded, or two have the same name.
    """
    return _load_plugins(group)


def _load_plugins(group: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for point in entry_points(group=group):
        if point.name in found:
            raise InputError(f"two entry points of {group} are named '{point.name}'")
        try:
            found[point.name] = point.load()
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise InputError(f"entry point '{point.name}' of {group} cannot be loaded: {reason}") from error
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


def select_policies(names: str) -> list[AnyPolicy]:
    """Policies named in a comma-separated list, in its order; `all` for every one of them.

    Raises:
        InputError: for an unknown, empty or repeated name.
    """
    known = every_policy()
    return [lookup(known, name, "policy") for name in _wanted(names, known)]


def _wanted(names: str, known: Iterable[str]) -> list[str]:
    wanted = sorted(known) if names.strip() == "all" else [part.strip() for part in names.split(",")]
    if repeated := {name for name in wanted if wanted.count(name) > 1}:
        raise InputError(f"'{sorted(repeated)[0]}' is named twice", field="policies")
    return wanted


def router_options(router: type[Router]) -> list[Parameter]:
    """What can be set of a router: the arguments of its `__init__` after the view."""
    return parameters(router.__init__)[2:]


def parse_router(spec: str) -> tuple[str, Callable[[View], Router], type[Router]]:
    """Read `name` or `name:option=value:option=value`.

    Returns:
        the spec as it is written in reports, what makes the router of a view, and its class.

    Raises:
        InputError: for an unknown router or option, or a value of the wrong type or range.
    """
    name, *parts = (part.strip() for part in spec.split(":"))
    router = lookup(routers(), name, "router")
    known = {option.name: option for option in router_options(router)}
    given: dict[str, Any] = {}
    for part in parts:
        key, equals, value = part.partition("=")
        if not equals:
            raise InputError(f"'{part}' is not option=value", file=spec)
        option = lookup(known, key, f"option of {name}")
        if key in given:
            raise InputError("given twice", file=spec, field=key)
        given[key] = convert(value, option.kind, spec, key)
        if isinstance(given[key], float) and not isfinite(given[key]):
            raise InputError(f"'{value}' is not a finite number", file=spec, field=key)
    options = {key: given[key] for key in known if key in given}
    label = ":".join([name, *(f"{key}={written(value)}" for key, value in options.items())])
    return label, partial(router, **options), router


def written(value: Any) -> str:
    """A value as one writes it in a spec."""
    return ("off", "on")[value] if isinstance(value, bool) else str(value)


def select_routers(specs: str) -> list[tuple[str, Callable[[View], Router], type[Router]]]:
    """Routers given in a comma-separated list, in its order; `all` for every one, with its defaults.

    Returns:
        what :func:`parse_router` says of each.

    Raises:
        InputError: for an unknown, empty or repeated router.
    """
    wanted = sorted(routers()) if specs.strip() == "all" else [part.strip() for part in specs.split(",")]
    chosen = [parse_router(spec) for spec in wanted]
    labels = [label for label, _, _ in chosen]
    if repeated := {label for label in labels if labels.count(label) > 1}:
        raise InputError(f"'{sorted(repeated)[0]}' is named twice", field="routers")
    return chosen
