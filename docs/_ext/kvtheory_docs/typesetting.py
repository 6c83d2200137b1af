"""Docstrings, signatures and formulas."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.ext.napoleon.docstring import GoogleDocstring


def whole_docstring(self: GoogleDocstring) -> tuple[str, list[str]]:
    """Napoleon reads `Depth of each node, int32: 0 for the root` on a property as `type: description`."""
    return "", type(self)(self._dedent(self._consume_to_end()), self._config).lines()


ARRAY = re.compile(r"(~?\w+\.)*ndarray\[tuple\[~?(\w+\.)*Any, \.\.\.\], ~?(\w+\.)*dtype\[~?(\w+\.)*(\w+)\]\]")


def short_signature(*event: Any) -> tuple[str | None, str | None]:
    """Arrays as `NDArray[int32]`, other types by their last name."""
    signature, returned = event[5:7]
    return signature and shortened(signature), returned and shortened(returned)


def shortened(text: str) -> str:
    """Types of a signature by their last names."""
    text = re.sub(r"TypeAliasForwardRef\('(\w+)'\)", r"\1", ARRAY.sub(r"NDArray[\5]", text))
    return re.sub(r"~[\w.]*\.", "", text)


def inline_math(self: Any, node: nodes.math) -> None:
    """A formula as MathML."""
    self.body.append(mathml(node.astext(), block=False))
    raise nodes.SkipNode


def block_math(self: Any, node: nodes.math_block) -> None:
    """A displayed formula as MathML."""
    self.body.append(mathml(node.astext(), block=True))
    raise nodes.SkipNode


def mathml(text: str, *, block: bool) -> str:
    """LaTeX to MathML, by docutils; an unknown command is an error of the build."""
    text = text.replace(r"\dots", r"\ldots").replace(r"\setminus", r"\backslash")
    if block and r"\\" in text:
        text = rf"\begin{{aligned}}{text}\end{{aligned}}"
    return str(tex2mathml(text, as_block=block))
