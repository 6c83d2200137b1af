"""Every module of a package with the first line of its docstring."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective


class PackageTree(SphinxDirective):
    """Every module of the named packages with the first line of its docstring."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Read the sources; nothing is imported but the packages themselves."""
        lines: list[tuple[str, str]] = []
        for name in self.arguments[0].split():
            spec = importlib.import_module(name)
            lines.append((f"{name}/", first_line(Path(spec.__file__ or ""))))
            lines += branches(Path(spec.__path__[0]), 1)
        wide = max(len(left) for left, _ in lines) + 2
        text = "\n".join(f"{left:<{wide}}{right}".rstrip() for left, right in lines)
        block = nodes.literal_block(text, text)
        block["language"] = "text"
        block["classes"].append("output")
        return [block]


def branches(folder: Path, level: int) -> Iterator[tuple[str, str]]:
    """Files first, then folders, each with its line."""
    for info in sorted(pkgutil.iter_modules([str(folder)]), key=lambda info: (info.ispkg, info.name)):
        place = folder / info.name / "__init__.py" if info.ispkg else folder / f"{info.name}.py"
        yield "  " * level + info.name + ("/" if info.ispkg else ".py"), first_line(place)
        if info.ispkg:
            yield from branches(folder / info.name, level + 1)


def first_line(file: Path) -> str:
    """First line of a module's docstring, without its citation."""
    said = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    plain = re.sub(r" \[\w+\]_|:\w+:|`", "", said.partition("\n")[0])
    return plain.strip()
