"""Theorems with their proofs and rows, as `proofs_check --quick` finds them."""

from __future__ import annotations

import importlib
import inspect
import json
import re
import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from kvtheory_docs.rst import cell, heading, list_table
from kvtheory_docs.running import execute


class TheoremList(SphinxDirective):
    """The theorems of proofs_check: all in one table, or those of one item with their proofs and rows."""

    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Check them all, once for each build; a row that fails is an error of the build."""
        known = self.checked()
        if not self.arguments:
            rows = [
                [f":ref:`{name} <theorem-{name}>`", cell(found["statement"]), found["kind"]]
                for name, found in known.items()
            ]
            return self.parse_text_to_nodes(list_table(["check", "statement", "kind"], rows, "24 62 14"))
        item = int(self.arguments[0])
        mine = {name: found for name, found in known.items() if item in found["covers"]}
        text = "".join(
            theorem_text(name, found) for name, found in mine.items() if found["covers"][0] == item
        )
        if others := [name for name, found in mine.items() if found["covers"][0] != item]:
            text += "See also " + ", ".join(f":ref:`{name} <theorem-{name}>`" for name in others) + ".\n"
        return self.parse_text_to_nodes(text, allow_section_headings=True)

    def checked(self) -> dict[str, Any]:
        """What `python -m proofs_check --quick` finds."""
        app = self.env.app
        if not app.kvtheory_theorems:
            command = [sys.executable, "-m", "proofs_check", "--quick", "--json", "-"]
            code, output, errors = execute(command, Path(self.env.srcdir))
            if code:
                failed = re.findall(r'"what": "([^"]*)"[^}]*"holds": false', output)
                raise self.error(f"proofs_check ended with {code}: {errors or failed}")
            app.kvtheory_theorems = json.loads(output)
        return app.kvtheory_theorems


def theorem_text(name: str, found: dict[str, Any]) -> str:
    """One theorem as RST: kind, sizes, statement, the argument in its file, and its rows."""
    module = importlib.import_module(f"proofs_check.{name}")
    argument = inspect.cleandoc(module.__doc__ or "").partition("\n")[2].strip()
    page = found["where"].removeprefix("docs").removesuffix(".rst")
    place = ("argument below" if argument else "below") if page == "/theory/theorems" else f":doc:`{page}`"
    text = f".. _theorem-{name}:\n\n" + heading(name, "~")
    text += f"{cell(found['statement'])}\n\n"
    text += f"**{found['kind']}** · {place} · checked here up to: {cell(found['checked_up_to'])}\n\n"
    if argument:
        text += f"{cell(argument)}\n\n"
    rows = [
        [
            cell(row["what"]),
            row["computed"],
            f"{WRITTEN[row['relation']]} {row['claimed']}",
            "all values" if row["by"] == "z3" else f"{row['instances']:,}",
        ]
        for row in found["rows"]
    ]
    text += list_table(["what", "computed", "claimed", "instances"], rows, "60 14 14 12")
    return text + "".join(f"{cell(note)}.\n\n" for note in found["notes"])


WRITTEN = {"==": "=", "<=": "≤", ">=": "≥"}
