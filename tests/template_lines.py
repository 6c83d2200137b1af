"""What ran in a generated kernel counts for the template it was written from: `make coverage` calls this.

    python tests/template_lines.py DATA

With NUMBA_DISABLE_JIT=1 kernels are plain Python; but each policy has its own file, outside the package
(kvtheory/engine/codegen.py). A function of such a file is a template's, line for line, and only further
down; it is found by its name. The hooks a policy puts there are no template's: those lines count in the
own file of the policy, where the reference engine runs it. (A plugin of coverage.py could say the same
while the tests run; asked at every line, it made them four times as slow.)
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from coverage import CoverageData

TEMPLATES = Path(__file__).parent.parent / "kvtheory" / "engine" / "templates"
BUILT_ON = {"fleet": "live"}
"""Template: the other one that is written out above it."""
Arc = tuple[int, int]


class Lines(NamedTuple):
    """Where a function is written, its decorators included."""

    first: int
    last: int


@cache
def functions(file: Path) -> dict[str, Lines]:
    """Each function of a module by its name."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    found = (node for node in tree.body if isinstance(node, ast.FunctionDef))
    return {
        node.name: Lines(min(d.lineno for d in [node, *node.decorator_list]), node.end_lineno or 0)
        for node in found
    }


def arcs_of_templates(kernel: Path, arcs: list[Arc]) -> Iterator[tuple[Path, Arc]]:
    """The steps from line to line within a kernel's functions, as steps within its templates.

    The negative number of a function's first line is the outside, as in coverage.py.
    """
    template = kernel.stem.rsplit("_", 2)[1]
    for name in [template, *([BUILT_ON[template]] if template in BUILT_ON else [])]:
        file = TEMPLATES / f"{name}.py"
        for function, (first, _) in functions(file).items():
            if not (here := functions(kernel).get(function)):
                continue
            down = here.first - first
            for a, b in arcs:
                if all(here.first <= abs(line) <= here.last for line in (a, b)):
                    yield file, tuple(line - down if line > 0 else line + down for line in (a, b))


def main() -> None:
    """Rewrite a file of coverage data without kernels."""
    file = Path(sys.argv[1])
    data = CoverageData(str(file))
    data.read()
    lines: dict[str, set[Arc]] = defaultdict(set)
    for name in data.measured_files():
        arcs = data.arcs(name) or []
        if Path(name).name.startswith("kvtheory_kernel_"):
            for template, arc in arcs_of_templates(Path(name), arcs):
                lines[str(template)].add(arc)
        else:
            lines[name] |= set(arcs)
    data.close()
    data.erase()
    merged = CoverageData(str(file))
    merged.add_arcs(lines)
    merged.close()


if __name__ == "__main__":
    main()
