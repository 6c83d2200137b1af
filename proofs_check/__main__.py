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
from kvtheory.atomic import atomic_write
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


def to_json(rows: list[Row]) -> list[dict[str, Any]]:
    """Rows with rationals as "p/q"."""
    return [
        {
            "what": row.what,
            "computed": str(row.computed),
            "relation": row.relation,
            "claimed": str(row.claimed),
            "instances": row.instances,
            "holds": row.holds,
        }
        for row in rows
    ]


def main(arguments: list[str] | None = None) -> int:
    """Check the named theorems, or all of them."""
    parser = argparse.ArgumentParser(prog="python -m proofs_check", description=proofs_check.__doc__)
    parser.add_argument("theorem", nargs="*", help="file stems; default: all")
    effort = parser.add_mutually_exclusive_group()
    effort.add_argument("--quick", action="store_true", help="what CI runs (default)")
    effort.add_argument("--deep", action="store_true", help="larger instances, minutes to hours")
    parser.add_argument("--json", metavar="F", help="write the rows to a file; '-' for stdout")
    options = parser.parse_args(arguments)
    known = theorems()
    for name in options.theorem:
        if name not in known:
            print(f"proofs_check: no theorem is named '{name}'; known: {', '.join(known)}", file=sys.stderr)
            return 2
    results, failed = {}, 0
    for name in options.theorem or known:
        theorem, start = known[name], time.perf_counter()
        rows = list(theorem.check(Effort.DEEP if options.deep else Effort.QUICK))
        seconds = time.perf_counter() - start
        failed += sum(not row.holds for row in rows)
        results[name] = {"statement": theorem.statement, "status": theorem.status, "rows": to_json(rows)}
        if options.json != "-":
            print(f"{name}  [{theorem.status}; {theorem.where}]  {seconds:.1f} s\n  {theorem.statement}")
            for row in rows:
                verdict = "holds" if row.holds else "FAILS"
                shown = f"{row.computed} {row.relation} {row.claimed}"
                print(f"  {verdict}  {row.what}: {shown}  ({row.instances} instances)")
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
