"""The README's worked example is what the program prints, and what its tables send the reader to is there."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from kvtheory.cli import app, run
from proofs_check.__main__ import theorems

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
EXAMPLES = re.findall(r"```console\n\$ (.+?)\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)

COMMANDS = typer.main.get_command(app).commands


def test_there_is_an_example():
    assert EXAMPLES


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One folder for all examples: a later one may read what an earlier one wrote."""
    return tmp_path_factory.mktemp("readme")


@pytest.mark.parametrize(("command", "output"), EXAMPLES)
def test_the_readme_tells_the_truth(capsys, monkeypatch, folder, command, output):
    monkeypatch.chdir(folder)
    program, *arguments = shlex.split(command)
    assert program == "kvtheory"
    assert run(arguments) == 0
    assert _lines(capsys.readouterr().out) == _lines(output)


def _lines(text):
    """Without the one figure that differs from run to run."""
    return [re.sub(r"^( +seconds ) .*", r"\1", line.rstrip()) for line in text.splitlines()]


SEE_IT = [
    cell
    for row in re.findall(r"^\|.*\| (.+?) \|$", README.read_text(encoding="utf-8"), re.M)
    for cell in re.findall(r"`([^`]+)`", row)
]


@pytest.mark.parametrize("word", sorted(set(SEE_IT)))
def test_what_a_table_names_is_there(word):
    first, *rest = word.split()
    if first == "make":
        assert re.search(rf"^{rest[0]}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    elif word.startswith("python -m proofs_check"):
        assert set(rest[2:]) <= {"--deep"} | set(theorems())
    elif word.startswith("python "):
        assert (ROOT / rest[0]).is_file()
    elif first == "pytest":
        assert all((ROOT / file).exists() for file in rest)
    elif first == "kvtheory" or first in COMMANDS:
        command = COMMANDS[rest[0] if first == "kvtheory" else first]
        known = {name for parameter in command.params for name in parameter.opts}
        assert {flag for flag in rest if flag.startswith("--")} <= known
    else:
        assert (ROOT / word).is_file(), word


def test_pytest_without_python_m_finds_the_packages():
    """As the tables have it: the folder that comes first is tests/, and it has an `adversaries`, too."""
    program = [Path(sys.executable).with_name("pytest"), "--collect-only", "tests/test_sources.py"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    found = subprocess.run(program, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout
