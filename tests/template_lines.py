"""A plugin of coverage.py: what runs in a generated kernel counts for the template it was written from.

`make coverage` runs with NUMBA_DISABLE_JIT=1, where kernels are plain Python; but each policy has its own
file (kvtheory/engine/codegen.py), outside the package. A function of such a file is a template's, line for
line, and only further down; it is found by its name. The hooks a policy puts there are no template's: those
lines count in the policy's own file, where the reference engine runs them.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

from coverage import CoveragePlugin, FileTracer

TEMPLATES = Path(__file__).parent.parent / "kvtheory" / "engine" / "templates"
BUILT_ON = {"fleet": "live"}
"""Template: the other one that is written out above it."""


@cache
def functions(template: str) -> dict[str, int]:
    """Name of each function of a template: its first line, which is its decorator's."""
    tree = ast.parse((TEMPLATES / f"{template}.py").read_text(encoding="utf-8"))
    found = (node for node in tree.body if isinstance(node, ast.FunctionDef))
    return {node.name: min(d.lineno for d in [node, *node.decorator_list]) for node in found}


class KernelFile(FileTracer):
    """The lines of one generated kernel, as lines of its template."""

    def __init__(self, file: str) -> None:
        self.template = Path(file).stem.rsplit("_", 2)[1]

    def source_filename(self) -> str:
        return str(TEMPLATES / f"{self.template}.py")

    def has_dynamic_source_filename(self) -> bool:
        return self.template in BUILT_ON

    def dynamic_source_filename(self, filename: str, frame: FrameType) -> str | None:
        below = BUILT_ON[self.template]
        return str(TEMPLATES / f"{below if self._written_in(frame) == below else self.template}.py")

    def line_number_range(self, frame: FrameType) -> tuple[int, int]:
        template = self._written_in(frame)
        if template is None:
            return -1, -1
        line = frame.f_lineno - frame.f_code.co_firstlineno + functions(template)[frame.f_code.co_name]
        return line, line

    def _written_in(self, frame: FrameType) -> str | None:
        written = (self.template, BUILT_ON.get(self.template))
        return next((t for t in written if t and frame.f_code.co_name in functions(t)), None)


class TemplateFile(FileTracer):
    """A template itself, imported: coverage wants one tracer for whatever counts for a file."""

    def __init__(self, file: str) -> None:
        self.file = file

    def source_filename(self) -> str:
        return self.file


class TemplateLines(CoveragePlugin):
    """Claims the generated kernels, and reports templates as the Python files they are."""

    def file_tracer(self, filename: str) -> FileTracer | None:
        if Path(filename).parent == TEMPLATES:
            return TemplateFile(filename)
        return KernelFile(filename) if Path(filename).name.startswith("kvtheory_kernel_") else None

    def file_reporter(self, filename: str) -> str:
        return "python"


def coverage_init(registry: Any, options: Any) -> None:
    registry.add_file_tracer(TemplateLines())
