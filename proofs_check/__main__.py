"""`python -m proofs_check [THEOREM...] [--quick|--deep] [--json F|-]`; exit 1 if any row fails."""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import sys
import time
from pathlib import Path
from typing import Any

import proofs_check
from kvtheory.atomic import atomic_write, require_writable
from kvtheory.errors import KVTheoryError
from proofs_check.theorem import Effort, Row, Theorem


def theorems() -> dict[str, Theorem]:
    """Every theorem, by the stem of its file."""
    found = {}
    for info in pkgutil.iter_modules(proofs_check.__path__):
        if info.name != "__main__":
            module = importlib.import_module(f"proofs_check.{info.name}")
            if isinstance(theorem := getattr(module, "THEOREM", None), Theorem):
                found[info.name] = theorem
    return found


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


def main(arguments: list[str] | None = None) -> int:
    """Check the named theorems, or all of them."""
    parser = argparse.ArgumentParser(prog="python -m proofs_check", description=proofs_check.__doc__)
    parser.add_argument("theorem", nargs="*", help="file stems; default: all")
    effort = parser.add_mutually_exclusive_group()
    effort.add_argument(
        "--quick", action="store_true", help="smaller instances, under a minute: what CI runs"
    )
    effort.add_argument("--deep", action="store_true", help="larger instances, minutes to hours")
    parser.add_argument("--json", metavar="F", help="write the rows to a file; '-' for stdout")
    options = parser.parse_args(arguments)
    known = theorems()
    for name in options.theorem:
        if name not in known:
            print(f"proofs_check: no theorem is named '{name}'; known: {', '.join(known)}", file=sys.stderr)
            return 2
    if options.json not in (None, "-"):
        try:
            require_writable(Path(options.json))
        except KVTheoryError as error:
            print(f"proofs_check: {error}", file=sys.stderr)
            return 2
    chosen = Effort.DEEP if options.deep else Effort.QUICK if options.quick else Effort.STANDARD
    results, failed = {}, 0
    for name in options.theorem or known:
        theorem, start = known[name], time.perf_counter()
        rows, notes = theorem.outcome(chosen)
        failed += sum(not row.holds for row in rows)
        results[name] = to_json(theorem, chosen, rows, notes)
        if options.json != "-":
            show(name, theorem, chosen, rows, notes, time.perf_counter() - start)
            sys.stdout.flush()
    text = json.dumps(results)
    if options.json == "-":
        print(text)
    elif options.json:
        try:
            with atomic_write(Path(options.json), "w") as stream:
                stream.write(text + "\n")
        except KVTheoryError as error:
            print(f"proofs_check: {error}", file=sys.stderr)
            return 2
    if options.json != "-":
        total = sum(len(result["rows"]) for result in results.values())
        print(f"{total - failed} rows hold, {failed} fail, in {len(results)} theorems")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
