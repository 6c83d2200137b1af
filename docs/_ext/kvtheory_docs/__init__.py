"""What these pages generate, so that it cannot rot: pages of policies and routers, lists, real output.

Directives::

    .. kvtheory:: ratio cyclic:prompts=9 --capacity 8
       :exit: 2          the exit code that the command must have; default 0
       :module: NAME     run `python -m NAME` instead of kvtheory
       :json:            pipe the output through `python -m json.tool`
       :scratch:         run in a throwaway copy of docs/examples, shared by the page

    .. python-example:: second_visit.py
    .. package-tree:: kvtheory adversaries
    .. theorem-list::          one table of all theorems; with the number of an item, its theorems in full

The commands run while the page is read, in the docs folder, with the interpreter that runs Sphinx.
"""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx
from sphinx.ext.napoleon.docstring import GoogleDocstring

from kvtheory_docs.pages import generate
from kvtheory_docs.running import Command, PythonExample, remove_scratch
from kvtheory_docs.theorems import TheoremList
from kvtheory_docs.tree import PackageTree
from kvtheory_docs.typesetting import block_math, inline_math, short_signature, whole_docstring


def setup(app: Sphinx) -> dict[str, Any]:
    """Register."""
    GoogleDocstring._consume_inline_attribute = whole_docstring
    app.kvtheory_scratch = {}
    app.kvtheory_theorems = {}
    app.add_html_math_renderer("mathml", (inline_math, None), (block_math, None))
    app.connect("autodoc-process-signature", short_signature)
    app.connect("builder-inited", generate)
    app.connect("build-finished", remove_scratch)
    app.add_directive("kvtheory", Command)
    app.add_directive("python-example", PythonExample)
    app.add_directive("package-tree", PackageTree)
    app.add_directive("theorem-list", TheoremList)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
