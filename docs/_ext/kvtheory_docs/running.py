"""Commands and examples that run while a page is read, and what they printed."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

TIMEOUT = 600
WORDS = {"COLUMNS": "96", "NO_COLOR": "1", "TERM": "dumb", "PYTHONIOENCODING": "utf-8"}


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
