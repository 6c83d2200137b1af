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

import ast
import importlib
import inspect
import json
import os
import pkgutil
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.ext.napoleon.docstring import GoogleDocstring
from sphinx.util.docutils import SphinxDirective

from kvtheory.object_policy import AnyPolicy, ObjectPolicy, reads
from kvtheory.registry import every_policy, router_options, routers, written
from kvtheory.report.listing import knowledge, traits
from kvtheory.router import Router
from kvtheory.sources import workloads
from kvtheory.specs import parameters

TIMEOUT = 600
WORDS = {"COLUMNS": "96", "NO_COLOR": "1", "TERM": "dumb", "PYTHONIOENCODING": "utf-8"}


def write_if_changed(file: Path, text: str) -> None:
    """Keep the time stamp of a page that stays the same, so that Sphinx does not read it again."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists() or file.read_text(encoding="utf-8") != text:
        file.write_text(text, encoding="utf-8")


def heading(text: str, line: str = "=") -> str:
    """A section title."""
    return f"{text}\n{line * len(text)}\n\n"


def cell(text: str) -> str:
    """Text with what RST would read as markup escaped."""
    return text.replace("\\", "\\\\").replace("*", "\\*").replace("`", "\\`").replace("|", "\\|")


def list_table(header: list[str], rows: list[list[str]], widths: str = "auto") -> str:
    """A list-table; cells are RST."""
    lines = [".. list-table::", "   :header-rows: 1", f"   :widths: {widths}", ""]
    for row in [header, *rows]:
        lines += [f"   {'* -' if i == 0 else '  -'} {value}" for i, value in enumerate(row)]
    return "\n".join(lines) + "\n\n"


# --- generated pages -----------------------------------------------------------------------------------


def generate(app: Sphinx) -> None:
    """Write docs/generated: a page per policy and router, their indexes, the workloads, and the figures."""
    folder = Path(app.srcdir) / "generated"
    known = dict(sorted(every_policy().items()))
    pages = {f"policies/{name}.rst": policy_page(name, policy, folder) for name, policy in known.items()}
    pages["policies.rst"] = policy_index(known)
    senders = dict(sorted(routers().items()))
    pages |= {f"routers/{name}.rst": router_page(name, router, folder) for name, router in senders.items()}
    pages["routers.rst"] = router_index(senders)
    pages["workloads.rst"] = workload_page()
    for name, text in pages.items():
        write_if_changed(folder / name, text)
    for kind in ("policies", "routers"):
        for file in (folder / kind).glob("*.rst"):
            if f"{kind}/{file.name}" not in pages:
                file.unlink()
    for script in sorted((Path(app.srcdir) / "figures").glob("*.py")):
        command = [sys.executable, str(script), str(folder / "figures")]
        code, _, errors = execute(command, Path(app.srcdir))
        if code:
            raise ExtensionError(f"{script.name} ended with {code}: {errors}")


def policy_index(known: dict[str, AnyPolicy]) -> str:
    """The table of policies and the toctree of their pages."""
    rows = [
        [
            f":doc:`{name} <policies/{name}>`",
            cell(policy.summary()),
            "yes" if policy.randomised() else "no",
            cell(traits(policy)),
            cell(knowledge(policy)),
        ]
        for name, policy in known.items()
    ]
    text = heading("Eviction policies")
    text += (
        "Written at build time from the registry: whatever `kvtheory policies` lists has a page here. "
        "`=` is a ratio that is attained on every tree, `<=` an upper bound; :math:`W` and :math:`w` are the "
        "widths of :doc:`/theory/width`.\n\n"
    )
    text += list_table(["name", "what it evicts", "draws", "traits", "competitive ratio"], rows)
    text += ".. toctree::\n   :hidden:\n\n" + "".join(f"   policies/{name}\n" for name in known)
    return text


def policy_page(name: str, policy: AnyPolicy, folder: Path) -> str:
    """One policy: docstring, what it declares, its source."""
    text = heading(name)
    text += f".. autoclass:: {policy.__module__}.{policy.__qualname__}\n"
    text += "   :no-members:\n   :class-doc-from: class\n\n"
    columns = ", ".join(f"`{key}` ({_column(value)})" for key, value in policy.columns.items()) or "none"
    by = "" if issubclass(policy, ObjectPolicy) else ", by `weight`" if policy.randomised() else ", by `rank`"
    cited = " ".join(f"[{key}]_" for key in policy.source.split()) or "none"
    text += list_table(
        ["declares", ""],
        [
            ["draws", ("yes" if policy.randomised() else "no") + by],
            ["columns", columns],
            ["traits", ":doc:`object </howto/policy-with-memory>`" if not by else cell(traits(policy))],
            ["reads", _reads(policy)],
            ["source", cited],
        ],
    )
    text += heading("Claims", "-")
    if policy.unbounded:
        text += "The competitive ratio is infinite on some tree.\n\n"
    elif policy.claims:
        rows = [
            [
                f"`{claim.formula}`",
                "attained on every tree" if claim.tight else "upper bound",
                claim.status.value,
            ]
            for claim in policy.claims
        ]
        text += list_table(["competitive ratio", "kind", "status"], rows)
    else:
        text += "None.\n\n"
    return text + source_section(policy, folder / "policies")


def _reads(policy: AnyPolicy) -> str:
    """What a policy wants to know of a request."""
    names = ", ".join(f"`{name}`" for name in reads(policy))
    return f":ref:`of a request <what-a-request-says>`: {names}" if names else "paths alone"


def source_section(item: type, folder: Path) -> str:
    """The file that holds a class, as a section of a page in `folder`."""
    source = inspect.getsourcefile(item)
    if not source:
        return ""
    path = Path(os.path.relpath(source, folder)).as_posix()
    return heading("Source", "-") + f".. literalinclude:: {path}\n   :language: python\n"


def router_index(known: dict[str, type[Router]]) -> str:
    """The table of routers and the toctree of their pages."""
    rows = [
        [
            f":doc:`{name} <routers/{name}>`",
            cell(router.summary()),
            "omniscient" if router.omniscient else "blind",
            "yes" if router.draws else "no",
        ]
        for name, router in known.items()
    ]
    text = heading("Routers")
    text += (
        "Written at build time from the registry: whatever `kvtheory routers` lists has a page here. A blind "
        "router sees prompts, its own dispatches, and completions with what the worker reports of them; an "
        "omniscient one "
        "reads the true caches and the true work. Every router is held to the contract of "
        ":mod:`kvtheory.testing.router_contract`.\n\n"
    )
    text += list_table(["name", "where it sends a request", "sees", "draws"], rows)
    text += ".. toctree::\n   :hidden:\n\n" + "".join(f"   routers/{name}\n" for name in known)
    return text


def router_page(name: str, router: type[Router], folder: Path) -> str:
    """One router: docstring, what it declares, its options, its source."""
    text = heading(name)
    text += f".. autoclass:: {router.__module__}.{router.__qualname__}\n"
    text += "   :no-members:\n   :class-doc-from: class\n\n"
    cited = " ".join(f"[{key}]_" for key in router.source.split()) or "none"
    text += list_table(
        ["declares", ""],
        [
            ["sees", "true caches and work" if router.omniscient else "its own dispatches and completions"],
            ["draws", "yes" if router.draws else "no"],
            ["first tokens", "watched" if router.watches_first_tokens else "not watched"],
            ["source", cited],
        ],
    )
    if options := router_options(router):
        text += heading("Options", "-")
        rows = [
            [f"`{option.name}`", cell(option.shown), f"`{written(option.default)}`"] for option in options
        ]
        text += list_table(["option", "type", "default"], rows)
    return text + source_section(router, folder / "routers")


def _column(column: Any) -> str:
    said = [] if column.low is None else [f"from {column.low}"]
    said += [] if column.high is None else [f"to {column.high}"]
    said += ["only comparisons matter"] if column.order else []
    return " ".join(said) or "any integer"


def workload_page() -> str:
    """Every workload generator with its parameters."""
    text = heading("Workloads")
    text += (
        "Written at build time from the entry points of `kvtheory.workloads`. A spec is a name, or "
        "`name:key=value,key=value`; see :doc:`/howto/make-a-workload`.\n\n"
    )
    for name, generator in sorted(workloads().items()):
        text += heading(name, "-")
        said = inspect.getdoc(generator) or ""
        body, _, arguments = said.partition("\nArgs:")
        meaning = _arguments(arguments)
        text += body.strip() + "\n\n"
        rows = []
        for parameter in parameters(generator):
            rows.append(
                [
                    f"`{parameter.name}`",
                    cell(parameter.shown),
                    f"`{parameter.default}`",
                    meaning.get(parameter.name, ""),
                ]
            )
        text += list_table(["parameter", "type", "default", "meaning"], rows)
    return text


def _arguments(section: str) -> dict[str, str]:
    """The entries of a Google-style Args section, by name."""
    found: dict[str, str] = {}
    name = ""
    for line in section.splitlines():
        key, colon, rest = line.strip().partition(":")
        if colon and line.startswith("    ") and not line.startswith("     "):
            name = key
            found[name] = rest.strip()
        elif not line.strip() or not line.startswith("     "):
            name = ""
        elif name:
            found[name] += " " + line.strip()
    return found


# --- directives ----------------------------------------------------------------------------------------


class Command(SphinxDirective):
    """Run a command and show it with its true output."""

    required_arguments = 1
    final_argument_whitespace = True
    option_spec: ClassVar = {
        "exit": directives.nonnegative_int,
        "module": directives.unchanged,
        "json": directives.flag,
        "scratch": directives.flag,
    }

    def run(self) -> list[nodes.Node]:
        """Run it; a wrong exit code is an error of the build."""
        module = self.options.get("module", "kvtheory")
        words = shlex.split(self.arguments[0])
        shown = shlex.join([*(["kvtheory"] if module == "kvtheory" else ["python", "-m", module]), *words])
        wanted = self.options.get("exit", 0)
        folder = scratch(self.env) if "scratch" in self.options else Path(self.env.srcdir)
        code, output, errors = execute([sys.executable, "-m", module, *words], folder)
        if code != wanted:
            raise self.error(f"`{shown}` ended with {code}, not {wanted}: {errors or output}")
        if "json" in self.options:
            shown += " | python -m json.tool"
            output = execute([sys.executable, "-m", "json.tool", "--indent", "2"], folder, output)[1]
        return show(shown, output + errors, f"exit code {code}" if wanted else "")


class PythonExample(SphinxDirective):
    """Run a file of docs/examples and show its output."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Run it; a failure is an error of the build."""
        file = f"examples/{self.arguments[0]}"
        self.env.note_dependency(str(Path(self.env.srcdir) / file))
        code, output, errors = execute([sys.executable, file], Path(self.env.srcdir))
        if code:
            raise self.error(f"{file} ended with {code}: {errors}")
        return show(f"python docs/{file}", output + errors, "")


def execute(command: list[str], folder: Path, text: str | None = None) -> tuple[int, str, str]:
    """Run a command; its exit code, output and errors."""
    environment = {**os.environ, **WORDS}
    environment.pop("FORCE_COLOR", None)
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        check=False,
        timeout=TIMEOUT,
        text=True,
        encoding="utf-8",
        **({"stdin": subprocess.DEVNULL} if text is None else {"input": text}),
    )
    return done.returncode, done.stdout, done.stderr


def scratch(env: Any) -> Path:
    """A copy of docs/examples that lives until the build ends, one per page."""
    found: dict[str, str] = env.app.kvtheory_scratch
    if env.docname not in found:
        folder = Path(tempfile.mkdtemp(prefix="kvtheory-docs-"))
        found[env.docname] = str(folder)
        shutil.copytree(Path(env.srcdir) / "examples", folder / "examples")
    return Path(found[env.docname]) / "examples"


def remove_scratch(app: Sphinx, _: Exception | None) -> None:
    """Throw the copies away."""
    for folder in app.kvtheory_scratch.values():
        shutil.rmtree(folder, ignore_errors=True)


def show(command: str, output: str, remark: str) -> list[nodes.Node]:
    """A console block: the command, what it printed, and a remark."""
    lines = [f"$ {command}", *(line.rstrip() for line in output.rstrip("\n").splitlines())]
    if remark:
        lines.append(f"[{remark}]")
    block = nodes.literal_block("\n".join(lines), "\n".join(lines))
    block["language"] = "text"
    block["classes"].append("output")
    return [block]


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
