"""`python -m proofs_check [THEOREM...] [--quick|--deep] [--json F|-]`; exit 1 if any row fails."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import proofs_check
from kvtheory.atomic import atomic_write, require_writable
from kvtheory.errors import InputError, KVTheoryError
from kvtheory.registry import lookup, modules, plugins, unique
from proofs_check.theorem import Effort, Row, Theorem


def theorems() -> dict[str, Theorem]:
    """Every theorem: this package's by the stem of its file, and the entry points of `kvtheory.theorems`.

    Raises:
        InputError: if an entry point cannot be loaded or is no theorem, or two have the same name.
    """
    own = [(stem, vars(module).get("THEOREM")) for stem, module in modules(proofs_check)]
    found = [(name, item) for name, item in own if isinstance(item, Theorem)]
    for name, item in plugins("kvtheory.theorems").items():
        if not isinstance(item, Theorem):
            raise InputError(f"entry point '{name}' of kvtheory.theorems is not a Theorem")
        found.append((name, item))
    return unique(found, "theorems")


def to_json(theorem: Theorem, effort: Effort, rows: list[Row], notes: list[str]) -> dict[str, Any]:
    """One theorem and its rows, rationals as "p/q"."""
    return {
        "statement": theorem.statement,
        "kind": theorem.kind.value,
        "checked_up_to": theorem.checked_up_to(effort),
        "covers": list(theorem.covers),
        "where": theorem.where,
        "rows": [
            {
                "what": row.what,
                "computed": str(row.computed),
                "relation": row.relation,
                "claimed": str(row.claimed),
                "instances": row.instances,
                "by": row.by,
                "holds": row.holds,
            }
            for row in rows
        ],
        "notes": notes,
    }


def show(name: str, theorem: Theorem, effort: Effort, rows: list[Row], notes: list[str], took: float) -> None:
    """The rows of one theorem as text."""
    print(f"{name}  [{theorem.kind.value}; {theorem.where}]  {took:.1f} s\n  {theorem.statement}")
    print(f"  checked up to: {theorem.checked_up_to(effort)}")
    for row in rows:
        verdict = "holds" if row.holds else "FAILS"
        counted = "for all values" if row.by == "z3" else f"{row.instances:,} instances"
        print(f"  {verdict}  {row.what}: {row.computed} {row.relation} {row.claimed}  ({counted})")
    for note in notes:
        print(f"  note   {note}")


def read_arguments(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m proofs_check", description=proofs_check.__doc__)
    parser.add_argument("theorem", nargs="*", help="file stems; default: all")
    effort = parser.add_mutually_exclusive_group()
    effort.add_argument(
        "--quick", action="store_true", help="smaller instances, under a minute: what CI runs"
    )
    effort.add_argument("--deep", action="store_true", help="larger instances, minutes to hours")
    parser.add_argument("--json", metavar="F", help="write the rows to a file; '-' for stdout")
    return parser.parse_args(arguments)


def check(chosen: dict[str, Theorem], effort: Effort, *, silent: bool) -> dict[str, Any]:
    """The rows of theorems as JSON, each shown when it is there unless `silent`."""
    results = {}
    for name, theorem in chosen.items():
        start = time.perf_counter()
        rows, notes = theorem.outcome(effort)
        results[name] = to_json(theorem, effort, rows, notes)
        if not silent:
            show(name, theorem, effort, rows, notes, time.perf_counter() - start)
            sys.stdout.flush()
    return results


def main(arguments: list[str] | None = None) -> int:
    """Check the named theorems, or all of them."""
    options = read_arguments(arguments)
    effort = Effort.DEEP if options.deep else Effort.QUICK if options.quick else Effort.STANDARD
    to_stdout = options.json == "-"
    file = None if options.json is None or to_stdout else Path(options.json)
    try:
        known = theorems()
        chosen = {name: lookup(known, name, "theorem") for name in options.theorem or known}
        if file:
            require_writable(file)
    except KVTheoryError as error:
        return refused(error)
    results = check(chosen, effort, silent=to_stdout)
    if to_stdout:
        print(json.dumps(results))
    if file:
        try:
            with atomic_write(file, "w") as stream:
                stream.write(json.dumps(results) + "\n")
        except KVTheoryError as error:
            return refused(error)
    verdicts = [row["holds"] for result in results.values() for row in result["rows"]]
    if not to_stdout:
        held = sum(verdicts)
        print(f"{held} rows hold, {len(verdicts) - held} fail, in {len(results)} theorems")
    return 0 if all(verdicts) else 1


def refused(error: KVTheoryError) -> int:
    """Say what is wrong in one line; the exit code."""
    print(f"proofs_check: {error}", file=sys.stderr)
    return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
