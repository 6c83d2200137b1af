"""What a run's JSON must hold: one table of fields, and what must agree between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from typing import Any

from kvtheory.errors import InputError

SCHEMA = "kvtheory-gpu-validation/1"
ROUTED = "kvtheory-gpu-validation-routed/1"
"""Of several engines behind a router."""
STOCK = "stock"
"""vLLM with nothing of ours, under its own eviction order."""
KEY = {"workload": "workloads", "mode": "", "policy": "names"}
ROUTED_KEY = {"workload": "workloads", "mode": "", "router": "routers", "policy": "names"}
"""Which run, beside its round, and the field of the plan that lists what there is."""
LARGEST = 2**53
MODES = ("offline", "timed")


class Leaf:
    """A value by its description and a test."""

    def __init__(self, words: str, test: Callable[[Any], bool]) -> None:
        self.words, self.test = words, test


def _whole(least: int) -> Leaf:
    return Leaf(
        f"a whole number from {least}",
        lambda x: isinstance(x, int) and not isinstance(x, bool) and least <= x <= LARGEST,
    )


def _number(x: Any) -> bool:
    return isinstance(x, int | float) and not isinstance(x, bool)


def _maybe(leaf: Leaf) -> Leaf:
    return Leaf(f"{leaf.words} or null", lambda x: x is None or leaf.test(x))


TEXT = Leaf("one line of text", lambda x: isinstance(x, str) and x.isprintable())
NAME = Leaf("a name", lambda x: TEXT.test(x) and x == x.strip() != "")
SECONDS = Leaf("a positive number of seconds", lambda x: _number(x) and 0 < x < 1e9)
SHARE = Leaf("a share below 1", lambda x: _number(x) and 0 <= x < 1)
LOAD = Leaf("a load between 0 and 2, or null", lambda x: x is None or (_number(x) and 0 < x < 2))
OBJECT = Leaf("an object", lambda x: isinstance(x, dict))
MODE = Leaf(" or ".join(MODES), lambda x: x in MODES)
KIND = Leaf("CUDA or CPU", lambda x: x in ("CUDA", "CPU"))

FIELDS: dict[str, Any] = {
    "schema": Leaf(SCHEMA, lambda x: x == SCHEMA),
    "title": TEXT,
    "versions": {"python": TEXT}
    | {name: _maybe(TEXT) for name in ("kvtheory", "torch", "numpy", "numba", "vllm")},
    "device": {"kind": KIND, "name": TEXT},
    "engine": TEXT,
    "plan": {
        "model": NAME,
        "workloads": [NAME],
        "names": [NAME],
        "engine": NAME,
        **{name: _whole(1) for name in ("block", "blocks", "longest", "repeats", "requests", "together")},
        "warmup": SHARE,
        "load": LOAD,
        "output": _whole(1),
        "seed": _whole(0),
    },
    "command": [TEXT, ...],
    "capacity": _whole(1),
    "workloads": OBJECT,
    "runs": [
        {
            "workload": NAME,
            "mode": MODE,
            "policy": NAME,
            "repeat": _whole(0),
            "seconds": SECONDS,
            "status": _maybe(OBJECT),
            "requests": [(_whole(1), _whole(0), SECONDS)],
            "simulated_hits": [_whole(0)],
        }
    ],
}
"""Fields of an object; `[X]`: one X or more; `[X, ...]`: any number; `(X, Y)`: a list of one X and one Y."""

ROUTED_FIELDS: dict[str, Any] = {
    **FIELDS,
    "schema": Leaf(ROUTED, lambda x: x == ROUTED),
    "plan": {**FIELDS["plan"], "engines": _whole(1), "routers": [NAME]},
    "runs": [
        {
            **FIELDS["runs"][0],
            "router": NAME,
            "status": [_maybe(OBJECT)],
            "served_by": [_whole(0)],
            "simulated_served_by": [_whole(0)],
        }
    ],
}
"""Of that mode."""


def require_run(found: Any, file: str) -> None:
    """Hold a JSON to `FIELDS` or `ROUTED_FIELDS`, by its schema, and its runs to its plan.

    Raises:
        InputError: if something is missing, of another type, or does not agree; names file and field.
    """
    schema = found.get("schema") if isinstance(found, dict) else None
    if schema not in (SCHEMA, ROUTED):
        raise InputError(f"is not {SCHEMA} or {ROUTED}", file=file, field="schema")
    for field, problem in _problems(found, ROUTED_FIELDS if schema == ROUTED else FIELDS, ""):
        raise InputError(problem, file=file, field=field)
    for field, problem in _disagreements(found, ROUTED_KEY if schema == ROUTED else KEY):
        raise InputError(problem, file=file, field=field)


def _problems(value: Any, shape: Any, where: str) -> Iterator[tuple[str, str]]:
    if isinstance(shape, Leaf):
        if not shape.test(value):
            yield where, f"is not {shape.words}"
    elif isinstance(shape, dict):
        if not isinstance(value, dict):
            yield where, "is not an object"
            return
        for name, inner in shape.items():
            path = f"{where}.{name}" if where else name
            if name not in value:
                yield path, "is missing"
            else:
                yield from _problems(value[name], inner, path)
    elif not isinstance(value, list):
        yield where, "is not a list"
    elif isinstance(shape, tuple):
        if len(value) != len(shape):
            yield where, f"has {len(value)} entries, not {len(shape)}"
        for i, (entry, inner) in enumerate(zip(value, shape, strict=False)):
            yield from _problems(entry, inner, f"{where}[{i}]")
    else:
        if not value and len(shape) == 1:
            yield where, "is empty"
        for i, entry in enumerate(value):
            yield from _problems(entry, shape[0], f"{where}[{i}]")


def _disagreements(found: dict[str, Any], key_fields: dict[str, str]) -> Iterator[tuple[str, str]]:
    plan, runs = found["plan"], found["runs"]
    for field in filter(None, key_fields.values()):
        if twice := [name for name in plan[field] if plan[field].count(name) > 1]:
            yield f"plan.{field}", f"names '{twice[0]}' twice"
    if set(found["workloads"]) != set(plan["workloads"]):
        yield "workloads", "are not those of plan.workloads"
    modes = MODES if plan["load"] is not None else MODES[:1]
    known = {field: plan[listed] if listed else modes for field, listed in key_fields.items()}
    planned = prod(map(len, known.values())) * plan["repeats"]
    if len(runs) != planned:
        yield "runs", f"are {len(runs)}, not the {planned} of the plan"
    seen: set[tuple[Any, ...]] = set()
    prompts: dict[str, list[int]] = {}
    for i, run in enumerate(runs):
        key = tuple(run[field] for field in (*key_fields, "repeat"))
        for field, names in known.items():
            if run[field] not in names:
                yield f"runs[{i}].{field}", f"'{run[field]}' is not in the plan"
        if run["repeat"] >= plan["repeats"] or key in seen:
            yield f"runs[{i}]", f"is round {run['repeat']} again, or not in the plan"
        seen.add(key)
        of_engines = run["status"] if "router" in key_fields else [run["status"]]
        for status in of_engines if run["policy"] != STOCK else ():
            if (status or {}).get("policy") != run["policy"]:
                yield f"runs[{i}].status", f"does not say that {run['policy']} was active"
        tokens = [request[0] for request in run["requests"]]
        if prompts.setdefault(run["workload"], tokens) != tokens:
            yield f"runs[{i}].requests", "are not the prompts of the workload's other runs"
        columns = ["simulated_hits"]
        if "router" in key_fields:
            columns += ["served_by", "simulated_served_by"]
            if len(of_engines) != plan["engines"]:
                yield f"runs[{i}].status", f"has {len(of_engines)} entries, not {plan['engines']}"
        for field in columns:
            if len(run[field]) != len(tokens):
                yield f"runs[{i}].{field}", f"has {len(run[field])} entries, not {len(tokens)}"
            if field != "simulated_hits" and max(run[field]) >= plan["engines"]:
                yield f"runs[{i}].{field}", f"names engine {max(run[field])} of {plan['engines']}"
        hits = [request[1] for request in run["requests"]]
        for field, column in (("requests", hits), ("simulated_hits", run["simulated_hits"])):
            for j, (hit, prompt) in enumerate(zip(column, tokens, strict=True)):
                if hit >= prompt:
                    yield f"runs[{i}].{field}[{j}]", f"has {hit} of {prompt} tokens cached"
